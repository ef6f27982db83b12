// A person at another browser: types the code of the device flow, logs in, consents.

class Browser {
  #cookies = new Map();

  /** A page after all redirects. */
  async open(url, form) {
    for (let hop = 0; hop < 10; hop += 1) {
      const answer = await fetch(url, {
        method: form ? 'POST' : 'GET',
        body: form ? new URLSearchParams(form) : undefined,
        headers: { cookie: [...this.#cookies].map((pair) => pair.join('=')).join('; ') },
        redirect: 'manual',
      });
      for (const cookie of answer.headers.getSetCookie()) {
        const [name, ...value] = cookie.split(';')[0].split('=');
        this.#cookies.set(name, value.join('='));
      }
      if (answer.status < 300 || answer.status >= 400) {
        return { url, text: await answer.text() };
      }
      url = new URL(answer.headers.get('location'), url).href;
      form = undefined;
    }
    throw new Error('too many redirects');
  }

  /** Fills in the form of a page and sends it. */
  submit(page, fields) {
    const action = /<form[^>]*action="([^"]+)"/.exec(page.text)?.[1] ?? page.url;
    const hidden = [...page.text.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([input]) => [
      /name="([^"]*)"/.exec(input)[1], /value="([^"]*)"/.exec(input)[1],
    ]);
    return this.open(new URL(action, page.url).href, { ...Object.fromEntries(hidden), ...fields });
  }
}

/** Consents to what the code asks for, or aborts; the last page's title. */
export async function person(issuer, code, consents) {
  const browser = new Browser();
  const entry = await browser.open(`${issuer}/device`);
  let page = await browser.submit(entry, { user_code: code });
  page = await browser.submit(page, consents ? { confirm: 'yes' } : { abort: 'yes' });
  if (consents) {
    page = await browser.submit(page, { login: 'alice', password: 'any' });
    page = await browser.submit(page, {});
  }
  return /<title>([^<]*)</.exec(page.text)?.[1];
}
