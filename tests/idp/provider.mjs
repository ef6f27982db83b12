// The real provider, configured: clients that come and go at run time, short lives, audiences.

import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const home = join(process.env.NBC_TEST_ENV, 'idp/node_modules/oidc-provider/lib/index.js');
const { default: Provider, errors } = await import(pathToFileURL(home));

/** Lives in seconds, changed by the control door. */
export const lives = { access: 600, refresh: 86400 };

/** Audiences that the provider knows; the protected resource takes tokens for `jupyter` only. */
const AUDIENCES = ['jupyter', 'other'];
const PREFIX = 'urn:audience:';

/** Who asks for introspection: the protected resource. */
export const RESOURCE = { id: 'resource', secret: 'secret-of-the-resource' };

// Keycloak calls `audience` what RFC 8707 calls `resource`.
const resourceIndicators = {
  enabled: true,
  defaultResource: (ctx) => (ctx.oidc.body?.audience ? PREFIX + ctx.oidc.body.audience : undefined),
  getResourceServerInfo(ctx, resource) {
    const audience = resource.slice(PREFIX.length);
    if (!resource.startsWith(PREFIX) || !AUDIENCES.includes(audience)) {
      throw new errors.InvalidTarget();
    }
    return { scope: 'deliver', audience, accessTokenFormat: 'opaque' };
  },
};

function configuration() {
  return {
    clients: [{
      client_id: RESOURCE.id,
      client_secret: RESOURCE.secret,
      grant_types: [],
      redirect_uris: [],
      response_types: [],
    }],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    extraClientMetadata: { properties: ['rotates'] },
    rotateRefreshToken: (ctx) => ctx.oidc.client.rotates === true,
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators,
    },
    scopes: ['openid', 'offline_access', 'deliver'],
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    ttl: {
      AccessToken: () => lives.access,
      ClientCredentials: () => lives.access,
      RefreshToken: () => lives.refresh,
      DeviceCode: 300,
      Grant: 86400,
      Interaction: 300,
      Session: 300,
      IdToken: 300,
    },
    cookies: { keys: ['only for tests'] },
  };
}

/** Starts the provider on a port of its own; its clients reach it through the token door. */
export async function startProvider(issuer) {
  const provider = new Provider(issuer, configuration());
  const issued = new Set();
  for (const kind of ['access_token.saved', 'client_credentials.saved']) {
    provider.on(kind, (token) => issued.add(token));
  }
  const server = createServer(provider.callback());
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: server.address().port,
    setClient: (client) => provider.Client.adapter.upsert(client.client_id, client),
    removeClient: (id) => provider.Client.adapter.destroy(id),
    refreshToken: (id) => refreshToken(provider, id),
    async revoke() {
      const tokens = [...issued];
      issued.clear();
      await Promise.all(tokens.map((token) => token.destroy()));
    },
  };
}

/** What a person's consent would have left: a refresh token of this client. */
async function refreshToken(provider, id) {
  const client = await provider.Client.find(id);
  const scope = 'openid offline_access';
  const grant = new provider.Grant({ accountId: 'alice', clientId: id });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId: 'alice', client, grantId, scope, gty: 'authorization_code',
  });
  return token.save();
}
