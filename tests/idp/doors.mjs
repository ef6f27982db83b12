// Doors in front of the provider and of the protected resource: they count, and make faults.

import { createServer, request } from 'node:http';
import { edited, instead } from './faults.mjs';
import { RESOURCE } from './provider.mjs';

const SQUIRRO = '/api/user/oauth2/token';

export async function read(stream) {
  const parts = [];
  for await (const part of stream) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Asks a goal on this machine; the answer with its body. */
function ask(port, { method, url, headers }, body) {
  const sent = { ...headers, 'content-length': body.length };
  delete sent['transfer-encoding'];
  return new Promise((done, failed) => {
    const asked = request({ host: '127.0.0.1', port, method, path: url, headers: sent });
    asked.on('error', failed).on('response', async (answer) => {
      done({ status: answer.statusCode, headers: answer.headers, body: await read(answer) });
    });
    asked.end(body);
  });
}

function reply(response, { status, headers, body }) {
  const kept = { ...headers, 'content-length': body.length };
  delete kept['transfer-encoding'];
  response.writeHead(status, kept).end(body);
}

export async function listen(handler) {
  const server = createServer((asked, response) => {
    handler(asked, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return server.address().port;
}

/** Who asks, and how that is proven. */
function client(headers, form) {
  const [scheme, value] = (headers.authorization ?? '').split(' ');
  if (scheme === 'Basic') {
    const [id, secret] = Buffer.from(value, 'base64').toString().split(':').map(decodeURIComponent);
    return { client: id, auth: 'basic', secret };
  }
  const assertion = form.get('client_assertion');
  if (assertion) {
    const claims = JSON.parse(Buffer.from(assertion.split('.')[1], 'base64url'));
    return { client: claims.iss, auth: 'private_key_jwt', secret: assertion };
  }
  const secret = form.get('client_secret');
  return { client: form.get('client_id'), auth: secret ? 'post' : 'none', secret };
}

/** The door to the provider. `seen` is what the control door shows. */
export class TokenDoor {
  constructor(faults) {
    this.faults = faults;
    this.seen = { token: [], in_flight: 0, most_in_flight: 0 };
    this.secrets = new Set();
    this.handler = (asked, response) => this.take(asked, response);
  }

  async take(asked, response) {
    const body = await read(asked);
    const path = asked.url.split('?')[0];
    const isToken = asked.method !== 'GET' && (path === '/token' || path === SQUIRRO);
    if (!isToken) {
      return this.pass(asked, response, body, this.faults.take('other'), {});
    }
    const form = new URLSearchParams(body.toString());
    const who = client(asked.headers, form);
    this.remember(who.secret, form.get('refresh_token'));
    const fault = this.faults.take('token', path === SQUIRRO ? 'squirro' : who.client);
    const record = {
      at: Date.now(), client: who.client, auth: who.auth, form: Object.fromEntries(form),
      fault: fault?.kind, status: null,
    };
    this.seen.token.push(record);
    this.seen.in_flight += 1;
    this.seen.most_in_flight = Math.max(this.seen.most_in_flight, this.seen.in_flight);
    response.on('close', () => { this.seen.in_flight -= 1; });
    const shaped = path === SQUIRRO ? squirro(asked, form) : [asked, body];
    return this.pass(shaped[0], response, shaped[1], fault, record);
  }

  async pass(asked, response, body, fault, record) {
    if (fault?.kind === 'instead') {
      record.status = fault.status;
      return instead(fault, response);
    }
    if (fault?.kind === 'hang') {
      return this.faults.hang(response);
    }
    let answer = await ask(this.goal, asked, body);
    record.status = answer.status;
    if (asked.squirro) {
      answer = edited({ remove: ['expires_in', 'token_type', 'id_token', 'scope'] }, answer);
    }
    if (fault?.kind === 'edit') {
      answer = edited(fault, answer, this.last);
    }
    this.learn(answer);
    if (fault?.kind === 'drop') {
      return response.destroy();
    }
    await new Promise((done) => setTimeout(done, fault?.ms ?? 0));
    return reply(response, answer);
  }

  learn(answer) {
    if (answer.status === 200 && answer.headers['content-type']?.startsWith('application/json')) {
      const fields = JSON.parse(answer.body);
      this.last = fields.access_token ?? this.last;
      this.remember(fields.access_token, fields.refresh_token, fields.id_token, fields.device_code);
    }
  }

  remember(...secrets) {
    secrets.filter(Boolean).forEach((secret) => this.secrets.add(secret));
  }
}

/** Squirro's endpoint asks for no client; the provider behind it has one for it. */
function squirro({ method, headers }, form) {
  form.set('client_id', 'squirro');
  const body = Buffer.from(form.toString());
  return [{ method, url: '/token', headers, squirro: true }, body];
}

/** The protected resource: a Jupyter server for those whom the provider vouches for. */
export class ApiDoor {
  constructor(faults, jupyter) {
    this.faults = faults;
    this.jupyter = jupyter;
    this.seen = { api: 0, refused: 0, schemes: {} };
    this.handler = (asked, response) => this.take(asked, response);
  }

  async take(asked, response) {
    const body = await read(asked);
    const fault = this.faults.take('api');
    this.seen.api += 1;
    if (fault?.kind === 'instead') {
      return instead(fault, response);
    }
    if (fault?.kind === 'hang') {
      return this.faults.hang(response);
    }
    // The version is for everybody.
    if (asked.url !== '/api' && !await this.admits(asked.headers.authorization)) {
      this.seen.refused += 1;
      const headers = { 'content-type': 'application/json', 'www-authenticate': 'Bearer error="invalid_token"' };
      return instead({ status: 401, headers, body: '{"message": "introspection failed"}' }, response);
    }
    const headers = { ...asked.headers, authorization: `token ${this.jupyter.token}` };
    const goal = { method: asked.method, url: asked.url, headers };
    const answer = await ask(this.jupyter.port, goal, body);
    return fault?.kind === 'drop' ? response.destroy() : reply(response, answer);
  }

  async admits(authorization) {
    const words = (authorization ?? '').split(' ');
    const scheme = words.length === 1 ? 'bare' : words[0];
    this.seen.schemes[scheme] = (this.seen.schemes[scheme] ?? 0) + 1;
    const form = new URLSearchParams({ token: words.at(-1) });
    const basic = Buffer.from(`${RESOURCE.id}:${RESOURCE.secret}`).toString('base64');
    const headers = {
      authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded',
    };
    const asked = { method: 'POST', url: '/token/introspection', headers };
    const { body } = await ask(this.goal, asked, Buffer.from(form.toString()));
    const token = JSON.parse(body);
    return token.active === true && (token.aud === undefined || token.aud === 'jupyter');
  }
}
