// `npm run build`: installs what is missing and compiles everything anew.

import { setUp, tellFailures } from './setup.mjs';

await tellFailures(() => setUp({ rebuild: true }));
