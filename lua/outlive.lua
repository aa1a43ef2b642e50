#!lua flags=allow-oom
--[[ outlive: notes each start of Redis, and whether its log was written anew since. Half a script
  that a crash tore off in the log is forgotten by the next start and carried out by the one after.
  A log written anew has no such half; where one start followed another before that, what is there
  is not to be trusted: the ledger is lost, before any other script has run.
  KEYS[1]  start (hash)   KEYS[2]  state (hash)
  ARGV[1]  left, where Redis is known never to write its log anew; else empty
  Returns {log, run}; log is one of
    new | left   was written anew, or is to be left as it is
    old          may have half a script in it
    writing      the same, and is being written anew
    unknown      Redis does not tell its run
]]
local function told(section)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and text or ''
end

local run = string.match(told('server'), 'run_id:(%w+)')
if not run then return { 'unknown', '' } end
local noted = redis.call('HMGET', KEYS[1], 'run', 'log')
local log = noted[2]
if noted[1] ~= run then
  if log == 'old' then redis.call('DEL', KEYS[2]) end
  -- Two writes are a transaction, and its end in the log is the end of a torn one, too: Redis would
  -- not start again with one that is open in any but the last file of its log.
  redis.call('HSET', KEYS[1], 'log', 'old')
  redis.call('HSET', KEYS[1], 'run', run)
  log = 'old'
end
if log ~= 'old' then return { log, run } end

local facts = told('persistence')
if string.match(facts, 'aof_rewrite_in_progress:1')
  or string.match(facts, 'aof_rewrite_scheduled:1') then
  return { 'writing', run }
end
if string.match(facts, 'aof_enabled:0') then
  log = 'new'
elseif ARGV[1] == 'left' then
  log = 'left'
elseif string.match(facts, 'aof_last_bgrewrite_status:ok')
  and not string.match(facts, 'aof_rewrites:0') then
  log = 'new'
end
if log ~= 'old' then redis.call('HSET', KEYS[1], 'log', log) end
return { log, run }
