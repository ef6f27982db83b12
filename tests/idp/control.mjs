// Orders of the tests: POST NAME with JSON, answered with JSON.

import { generateKeyPairSync } from 'node:crypto';
import { read } from './doors.mjs';
import { person } from './person.mjs';
import { lives } from './provider.mjs';

/** A client whose key is made now, and its key in all six forms that people hold. */
async function keyed(provider, { client_id: id }) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await provider.setClient({
    client_id: id,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'deliver',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ kid: 'one', ...publicKey.export({ format: 'jwk' }) }] },
  });
  const pkcs8 = privateKey.export({ format: 'pem', type: 'pkcs8' });
  const pkcs1 = privateKey.export({ format: 'pem', type: 'pkcs1' });
  const jwk = privateKey.export({ format: 'jwk' });
  return {
    pkcs8,
    pkcs1,
    jwk: JSON.stringify(jwk),
    jwks: JSON.stringify({ keys: [{ kid: 'one', use: 'sig', alg: 'RS256', ...jwk }] }),
    sfapi_pem: `${id}\n${pkcs1}`,
    sfapi_json: JSON.stringify({ client_id: id, secret: jwk }),
  };
}

export function control({ provider, faults, tokens, api, issuer, strayed }) {
  const orders = {
    seen: () => ({ ...tokens.seen, ...api.seen, faults: faults.left(), strayed }),
    count: ({ client_id: id }) => tokens.seen.token.filter(({ client }) => client === id).length,
    secrets: () => [...tokens.secrets],
    fault: (fault) => faults.add(fault),
    calm: () => faults.clear(),
    life: (changed) => Object.assign(lives, changed),
    client: (client) => provider.setClient(client),
    'remove-client': ({ client_id: id }) => provider.removeClient(id),
    'key-client': (client) => keyed(provider, client),
    'refresh-token': async ({ client_id: id }) => {
      const token = await provider.refreshToken(id);
      tokens.remember(token);
      return token;
    },
    revoke: () => provider.revoke(),
    person: ({ code, consents }) => person(issuer, code, consents),
  };
  return async (asked, response) => {
    const body = await read(asked);
    const order = orders[asked.url.slice(1)];
    const answer = await order(body.length ? JSON.parse(body) : {});
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? null));
  };
}
