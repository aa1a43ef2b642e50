// The doors of persons, occasions, what the ones may spend on the others, and exchange rates.

import { isRefused } from '../../../core/errors.js';
import * as rates from '../../../flows/admin/exchange-rates.js';
import { OCCASION, PERSON, peopleFlows } from '../../../flows/admin/people.js';
import * as pairs from '../../../flows/admin/person-occasions.js';
import * as answers from './answers-policy.js';
import type { AdminRoute } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { listing, writing } from './route.js';
import * as schemas from './schemas-policy.js';

export function peopleRoutes(deps: pairs.PairDeps): AdminRoute[] {
  const persons = peopleFlows(PERSON, 'person_id');
  const occasions = peopleFlows(OCCASION, 'occasion_id');
  return [
    ...entityRoutes('persons', {
      row: answers.personRow,
      list: (request) => persons.list(deps, request),
      read: (id) => persons.read(deps, id),
      create: [schemas.newPersonSchema, (...args) => persons.create(deps, ...args)],
      change: [schemas.personSchema, (...args) => persons.change(deps, ...args)],
      remove: (...args) => persons.remove(deps, ...args),
    }),
    ...entityRoutes('occasions', {
      row: answers.occasionRow,
      list: (request) => occasions.list(deps, request),
      read: (id) => occasions.read(deps, id),
      create: [schemas.newOccasionSchema, (...args) => occasions.create(deps, ...args)],
      change: [schemas.occasionSchema, (...args) => occasions.change(deps, ...args)],
      remove: (...args) => occasions.remove(deps, ...args),
    }),
    ...pairRoutes(deps),
    ...rateRoutes(deps),
  ];
}

function pairRoutes(deps: pairs.PairDeps): AdminRoute[] {
  const path = 'person-occasions';
  const row = answers.pairRow;
  // Its list has more to ask for than those of others.
  const [, ...others] = entityRoutes(path, {
    row,
    list: (request) => pairs.listPairs(deps, request),
    read: (id) => pairs.readPair(deps, id),
    create: [schemas.newPairSchema, (...args) => pairs.createPair(deps, ...args)],
    change: [schemas.pairSchema, (...args) => pairs.changePair(deps, ...args)],
    remove: (...args) => pairs.removePair(deps, ...args),
  });
  return [
    listing(path, schemas.pairListSchema, row, (request) => pairs.listPairs(deps, request)),
    ...others,
    {
      ...writing(['POST', `${path}/:id/spend`], schemas.spendSchema, row, ({ actor, id }, input) =>
        pairs.spend(deps, actor, id, input),
      ),
      books: true,
    },
  ];
}

function rateRoutes(deps: pairs.PairDeps): AdminRoute[] {
  const path = 'exchange-rates';
  return [
    listing(path, schemas.rateListSchema, answers.rateRow, (request) =>
      rates.listRates(deps, request),
    ),
    writing(
      ['POST', path],
      schemas.rateSchema,
      answers.rateRow,
      async ({ actor }, rate) => {
        const put = await rates.putRates(deps, actor, [rate]);
        return isRefused(put) ? put : put.data[0];
      },
      201,
    ),
    writing(
      ['POST', `${path}/csv`],
      schemas.csvSchema,
      answers.ratesAnswer,
      async ({ actor }, { csv }) => {
        const found = rates.ratesOfCsv(csv);
        return isRefused(found) ? found : rates.putRates(deps, actor, found);
      },
      201,
    ),
  ];
}
