// The doors of persons, occasions, what the ones may spend on the others, and exchange rates.

import { isRefused } from '../../../core/errors.js';
import * as rates from '../../../flows/admin/exchange-rates.js';
import { OCCASION, PERSON, peopleFlows } from '../../../flows/admin/people.js';
import * as pairs from '../../../flows/admin/person-occasions.js';
import { type AdminRoute, answered, listed } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { readAs, readQuery } from './read.js';
import * as schemas from './schemas-policy.js';

export function peopleRoutes(deps: pairs.PairDeps): AdminRoute[] {
  const persons = peopleFlows(PERSON, 'person_id');
  const occasions = peopleFlows(OCCASION, 'occasion_id');
  const [, ...pairRoutes] = entityRoutes('person-occasions', {
    list: (request) => pairs.listPairs(deps, request),
    read: (id) => pairs.readPair(deps, id),
    create: [schemas.newPairSchema, (...args) => pairs.createPair(deps, ...args)],
    change: [schemas.pairSchema, (...args) => pairs.changePair(deps, ...args)],
    remove: (...args) => pairs.removePair(deps, ...args),
  });
  return [
    ...entityRoutes('persons', {
      list: (request) => persons.list(deps, request),
      read: (id) => persons.read(deps, id),
      create: [schemas.newPersonSchema, (...args) => persons.create(deps, ...args)],
      change: [schemas.personSchema, (...args) => persons.change(deps, ...args)],
      remove: (...args) => persons.remove(deps, ...args),
    }),
    ...entityRoutes('occasions', {
      list: (request) => occasions.list(deps, request),
      read: (id) => occasions.read(deps, id),
      create: [schemas.newOccasionSchema, (...args) => occasions.create(deps, ...args)],
      change: [schemas.occasionSchema, (...args) => occasions.change(deps, ...args)],
      remove: (...args) => occasions.remove(deps, ...args),
    }),
    {
      method: 'GET',
      path: 'person-occasions',
      kind: 'read',
      query: schemas.pairListSchema,
      async door({ exchange }) {
        const request = readQuery(exchange, schemas.pairListSchema);
        return isRefused(request) ? request : listed(await pairs.listPairs(deps, request));
      },
    },
    ...pairRoutes,
    {
      method: 'POST',
      path: 'person-occasions/:id/spend',
      kind: 'write',
      body: schemas.spendSchema,
      async door({ exchange, actor, id }) {
        const read = await readAs(exchange, schemas.spendSchema);
        if (read === undefined || isRefused(read)) return read;
        return answered(await pairs.spend(deps, actor, id, read.input));
      },
    },
    ...rateRoutes(deps),
  ];
}

function rateRoutes(deps: pairs.PairDeps): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: 'exchange-rates',
      kind: 'read',
      query: schemas.rateListSchema,
      async door({ exchange }) {
        const request = readQuery(exchange, schemas.rateListSchema);
        return isRefused(request) ? request : listed(await rates.listRates(deps, request));
      },
    },
    {
      method: 'POST',
      path: 'exchange-rates',
      kind: 'write',
      body: schemas.rateSchema,
      async door({ exchange, actor }) {
        const read = await readAs(exchange, schemas.rateSchema);
        if (read === undefined || isRefused(read)) return read;
        const put = await rates.putRates(deps, actor, [read.input]);
        return isRefused(put) ? put : answered(put.data[0], 201);
      },
    },
    {
      method: 'POST',
      path: 'exchange-rates/csv',
      kind: 'write',
      body: schemas.csvSchema,
      async door({ exchange, actor }) {
        const read = await readAs(exchange, schemas.csvSchema);
        if (read === undefined || isRefused(read)) return read;
        const found = rates.ratesOfCsv(read.input.csv);
        if (isRefused(found)) return found;
        return answered(await rates.putRates(deps, actor, found), 201);
      },
    },
  ];
}
