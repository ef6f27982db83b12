// A real OpenID provider, and a Jupyter server that takes its tokens, with faults on order.
//
//   NBC_TEST_ENV=DIRECTORY JUPYTER_PORT=N JUPYTER_TOKEN=T node stand.mjs
//
// Prints one line of JSON: the ports of the provider's door, of the protected server, of the
// control door, and of a stranger's door, which keeps whatever arrives there.

import { control } from './control.mjs';
import { ApiDoor, TokenDoor, listen, read } from './doors.mjs';
import { Faults } from './faults.mjs';
import { startProvider } from './provider.mjs';

const faults = new Faults();
const tokens = new TokenDoor(faults);
const api = new ApiDoor(faults, {
  port: process.env.JUPYTER_PORT, token: process.env.JUPYTER_TOKEN,
});
const front = await listen(tokens.handler);
const issuer = `http://127.0.0.1:${front}`;
const provider = await startProvider(issuer);
tokens.goal = provider.port;
api.goal = provider.port;

const strayed = [];
const stranger = async (asked, response) => {
  const body = await read(asked);
  strayed.push(`${asked.method} ${asked.url} ${JSON.stringify(asked.headers)} ${body}`);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{}');
};

console.log(JSON.stringify({
  front,
  api: await listen(api.handler),
  control: await listen(control({ provider, faults, tokens, api, issuer, strayed })),
  stranger: await listen(stranger),
}));
