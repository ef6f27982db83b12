// What goes wrong, when: a list that the control door fills and requests use up.

/**
 * A fault is `{kind, door, client, times}` and what its kind needs. `door` is `token` (if absent),
 * `api` or `other`; `client` limits it to requests of one client; `times` is 1 if absent, 0 until
 * cleared. Kinds:
 *   instead  {status, headers, body, cut}: answered so, or half of it; the goal is not asked
 *   hang     no answer, the goal is not asked
 *   drop     the goal has answered, its answer is lost with the connection
 *   late     {ms} the goal has answered, its answer comes so much later
 *   edit     {set, remove, stale}: fields of a good answer changed, removed; the token of before
 */
export class Faults {
  #planned = [];
  #hung = new Set();

  add(fault) {
    this.#planned.push({ door: 'token', times: 1, ...fault });
  }

  /** The fault for a request, used up by it. */
  take(door, client) {
    const fits = (fault) => fault.door === door && (!fault.client || fault.client === client);
    const at = this.#planned.findIndex(fits);
    const fault = this.#planned[at];
    if (fault?.times === 1) {
      this.#planned.splice(at, 1);
    } else if (fault?.times > 1) {
      fault.times -= 1;
    }
    return fault;
  }

  left() {
    return this.#planned.length;
  }

  clear() {
    this.#planned = [];
    for (const response of this.#hung) {
      response.destroy();
    }
    this.#hung.clear();
  }

  hang(response) {
    this.#hung.add(response);
  }
}

/** Answers in place of the goal. */
export function instead(fault, response) {
  const body = Buffer.from(fault.body ?? '');
  response.writeHead(fault.status, { ...fault.headers, 'content-length': body.length });
  if (fault.cut) {
    response.write(body.subarray(0, body.length / 2), () => response.destroy());
  } else {
    response.end(body);
  }
}

/** The good answer with its fields changed; `before` is the token issued last. */
export function edited(fault, answer, before) {
  if (answer.status !== 200) {
    return answer;
  }
  const fields = JSON.parse(answer.body);
  if (fault.stale && before) {
    fields.access_token = before;
  }
  Object.assign(fields, fault.set);
  for (const name of fault.remove ?? []) {
    delete fields[name];
  }
  return { ...answer, body: Buffer.from(JSON.stringify(fields)) };
}
