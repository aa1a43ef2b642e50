// Rates of other tiers of service, which no source has: as OpenAI publishes them, in pico-USD a
// token. Its batches cost what flex does, and do not go through a gateway.

// Held on 2026-11-22 against OpenAI's page on priority processing (what was seen of it has no o3,
// o4-mini, gpt-5.5 and gpt-5.3-codex) and LiteLLM's model_prices_and_context_window.json. They
// agree but for o4-mini's cached input at flex: printed as 0.138, half of its default is 0.1375.
// Neither has flex of gpt-5.1 and gpt-5.2, which is half, as everywhere else. Prompts past 272,000
// tokens have no priority; what they cost at flex was not found, so gpt-5.4 and gpt-5.5 have none
// and are then priced as default.
export const SERVICE_TIERS = {
  openai: {
    'gpt-5.5': {
      priority: { input: 10_000_000, cached_read: 1_000_000, output: 60_000_000 },
    },
    'gpt-5.4': {
      priority: { input: 5_000_000, cached_read: 500_000, output: 30_000_000 },
    },
    'gpt-5.4-mini': {
      flex: { input: 375_000, cached_read: 37_500, output: 2_250_000 },
      priority: { input: 1_500_000, cached_read: 150_000, output: 9_000_000 },
    },
    'gpt-5.3-codex': {
      priority: { input: 3_500_000, cached_read: 350_000, output: 28_000_000 },
    },
    'gpt-5.2': {
      flex: { input: 875_000, cached_read: 87_500, output: 7_000_000 },
      priority: { input: 3_500_000, cached_read: 350_000, output: 28_000_000 },
    },
    'gpt-5.1': {
      flex: { input: 625_000, cached_read: 62_500, output: 5_000_000 },
      priority: { input: 2_500_000, cached_read: 250_000, output: 20_000_000 },
    },
    'gpt-5': {
      flex: { input: 625_000, cached_read: 62_500, output: 5_000_000 },
      priority: { input: 2_500_000, cached_read: 250_000, output: 20_000_000 },
    },
    'gpt-5-mini': {
      flex: { input: 125_000, cached_read: 12_500, output: 1_000_000 },
      priority: { input: 450_000, cached_read: 45_000, output: 3_600_000 },
    },
    'gpt-5-nano': {
      flex: { input: 25_000, cached_read: 2_500, output: 200_000 },
    },
    'gpt-4.1': {
      priority: { input: 3_500_000, cached_read: 875_000, output: 14_000_000 },
    },
    'gpt-4.1-mini': {
      priority: { input: 700_000, cached_read: 175_000, output: 2_800_000 },
    },
    'gpt-4.1-nano': {
      priority: { input: 200_000, cached_read: 50_000, output: 800_000 },
    },
    'gpt-4o': {
      priority: { input: 4_250_000, cached_read: 2_125_000, output: 17_000_000 },
    },
    'gpt-4o-mini': {
      priority: { input: 250_000, cached_read: 125_000, output: 1_000_000 },
    },
    o3: {
      flex: { input: 1_000_000, cached_read: 250_000, output: 4_000_000 },
      priority: { input: 3_500_000, cached_read: 875_000, output: 14_000_000 },
    },
    'o4-mini': {
      flex: { input: 550_000, cached_read: 138_000, output: 2_200_000 },
      priority: { input: 2_000_000, cached_read: 500_000, output: 8_000_000 },
    },
  },
};
