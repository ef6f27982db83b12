// A real Chromium before the page. Each case gets what it needs to know as JSON, and fails by throwing.
//
//   NBC_TEST_ENV=DIRECTORY NBC_TEST_GIVEN='{"page": "http://127.0.0.1:…/", …}' node browser.mjs CASE
//
// With NBC_TEST_SHOTS=DIRECTORY it leaves pictures there, for a look.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.NBC_TEST_ENV}/web/`);
const { chromium } = require('playwright-core');

const WIDE = { width: 1400, height: 1000 };
const NARROW = { width: 390, height: 844 };
const which = process.argv[2];
const given = JSON.parse(process.env.NBC_TEST_GIVEN);
const complaints = [];

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  // A name that another site has pointed at this machine.
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--host-resolver-rules=MAP evil.example 127.0.0.1'],
});

/** A new page on which nothing may be complained of: no script error, no refused script, no dialog. */
async function open(path, options = {}) {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => complaints.push(`error: ${error}`));
  page.on('dialog', (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('console', (line) => line.type() === 'error' && complaints.push(`console: ${line.text()}`));
  await page.goto(new URL(path, given.page).href);
  return page;
}

/** The DAQ: a run that is complete. */
function take(name, metadata = '{}') {
  const run = `${given.data}/${name}`;
  mkdirSync(run);
  writeFileSync(`${run}/run.json`, metadata);
  writeFileSync(`${run}/DONE`, '');
}

const row = (page, name) => page.locator('#rows tr', { hasText: name });
const delivered = (page, name) => row(page, name).filter({ hasText: 'delivered' }).first().waitFor();

const cases = {
  /** Rows, headline and drawings follow what happens; focus and what is opened stay. */
  async live() {
    const page = await open('/');
    await page.evaluate(() => { window.unmoved = true; });
    for (const number of [1, 2, 3]) take(`run_00000${number}`);
    for (const number of [1, 2, 3]) await delivered(page, `run_00000${number}`);
    assert.match(await page.title(), /all well/);
    await row(page, 'run_000002').getByRole('link', { name: 'run_000002', exact: true }).focus();
    take('run_000004');
    await delivered(page, 'run_000004');
    const names = await page.locator('#rows th.run').allTextContents();
    assert.deepEqual(names.map((name) => name.trim()), [4, 3, 2, 1].map((n) => `run_00000${n}`));
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'run_000002');
    await page.getByText('4 runs within 24 hours').waitFor();
    assert.ok(await page.evaluate(() => window.unmoved), 'it was never loaded again');
    // A daemon that answers no more must not look well.
    process.kill(given.daemon, 'SIGSTOP');
    await page.locator('#lost').getByText('no answer from nbcourier').waitFor();
    assert.match(await page.title(), /^! no answer/);
    process.kill(given.daemon, 'SIGCONT');
    await page.locator('#lost').waitFor({ state: 'hidden' });
    complaints.length = 0; // the request that was given up
    await page.waitForFunction(() => document.title.includes('all well'));
  },

  /** Without JavaScript the page loads itself again; filter, details and pages work. */
  async plain() {
    const page = await open('/', { javaScriptEnabled: false });
    assert.equal(await page.locator('meta[http-equiv=refresh]').count(), 1);
    assert.match(await page.locator('.verdict').textContent(), /a person is needed since \d\d:\d\d/);
    await page.getByLabel('state').selectOption('needs a person');
    await page.getByRole('button', { name: 'show' }).click();
    assert.equal(new URL(page.url()).searchParams.get('state'), 'held');
    const advice = row(page, 'run_000001').getByText('put the token where the configuration says').first();
    await row(page, 'run_000001').getByText('what to do').first().click();
    await advice.waitFor();
    await page.getByLabel('find').fill('run_nothing');
    await page.getByRole('button', { name: 'show' }).click();
    await page.getByText('No run is like that').waitFor();
    await page.goto(given.page);
    take('run_000009');
    await row(page, 'run_000009').first().waitFor({ timeout: 25_000 });
  },

  /** Whatever a run, its parameters and its template are called, it is text. */
  async hostile() {
    for (const viewport of [WIDE, NARROW]) {
      const page = await open('/', { viewport });
      const shown = await page.locator('#rows').innerText();
      for (const name of given.shown) assert.ok(shown.includes(name), `${name} in ${shown}`);
      for (const path of ['/', ...given.paths]) {
        await page.goto(new URL(path, given.page).href);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${path} is wider than the window by ${wide}`);
        const alive = 'main script, main img, main iframe, main object, main svg svg, main [onload], main [onerror], main [style], main a[href^="javascript" i], main a[href^="data"]';
        assert.equal(await page.locator(alive).count(), 0, path);
        await page.waitForTimeout(100);
      }
    }
    const page = await open('/');
    await page.waitForTimeout(2500); // what the script takes over is text as well
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  },

  /** Ten thousand runs in the ledger. */
  async many() {
    const page = await open('/');
    for (const path of ['/', '/?q=run_000017', '/?state=failed', '/run/5000']) {
      await page.goto(new URL(path, given.page).href);
      const [took] = await page.evaluate(() => performance.getEntriesByType('navigation').map((it) => it.duration));
      console.log(`${path} ${Math.round(took)} ms`);
      assert.ok(took > 0 && took < 1000, `${path} took ${took} ms`);
    }
    await page.goto(given.page);
    assert.equal(await page.locator('#rows tr').count(), 200);
    await page.getByRole('link', { name: 'next 200' }).click();
    await page.getByText('run_009800').first().waitFor();
    assert.equal(await page.locator('#rows tr').count(), 200);
  },

  /** Everybody can use it: axe finds nothing, light and dark, wide and narrow. */
  async everybody() {
    const axe = require.resolve('axe-core/axe.min.js');
    for (const colorScheme of ['light', 'dark']) {
      for (const viewport of [WIDE, NARROW]) {
        // The policy of the page keeps axe out too.
        const page = await open('/', { colorScheme, viewport, bypassCSP: true });
        for (const path of ['/', ...given.paths]) {
          await page.goto(new URL(path, given.page).href);
          await page.evaluate(() => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
          await shoot(page, `${path.replace(/\W+/g, '_')}-${colorScheme}-${viewport.width}`);
          await page.addScriptTag({ path: axe });
          const { violations } = await page.evaluate(() => window.axe.run());
          const told = violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' | ')}`);
          assert.deepEqual(told, [], `${path} ${colorScheme} ${viewport.width}`);
        }
        await page.context().close();
      }
    }
    const missing = complaints.filter((one) => one.includes('404'));
    assert.equal(missing.length, 4, 'the page that is not there, four times');
    complaints.splice(0, 4);
    const page = await open('/');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'to the content');
  },

  /** The link on the page opens the notebook in the user's own Jupyter, whose server is not running. */
  async hub() {
    const page = await open('/');
    const [opened] = await Promise.all([
      page.context().waitForEvent('page'),
      row(page, 'run_000001').getByRole('link', { name: 'open' }).click(),
    ]);
    opened.setDefaultTimeout(60_000);
    await opened.locator('input[name=username]').fill('alice');
    await opened.locator('input[name=password]').fill('test');
    await opened.locator('input[type=submit], button[type=submit]').first().click();
    await opened.locator('.jp-NotebookPanel').first().waitFor();
    await opened.getByText('injected-parameters').or(opened.locator('.jp-Notebook').getByText('000001')).first().waitFor();
    assert.match(opened.url(), /\/user\/alice\/lab/);
    await shoot(opened, 'hub');
  },

  /** While the hub is stopped the notebook is read here and taken home. */
  async without() {
    const page = await open('/');
    await row(page, 'run_000001').getByRole('link', { name: 'preview' }).click();
    await page.getByText('parameters of this run').waitFor();
    await page.getByText('run = "000001"').or(page.getByText("run = '000001'")).first().waitFor();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'download' }).click(),
    ]);
    assert.equal(file.suggestedFilename(), 'run_000001.ipynb');
    await file.saveAs(given.file);
  },

  /** Another site gets nothing out of a browser that may read, but may link to the page. */
  async sites() {
    const link = `<a href="${given.page}">the runs</a>`;
    const other = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(link));
    await new Promise((listening) => other.listen(0, '127.0.0.1', listening));
    const page = await open('/');
    await page.getByText('nbcourier asks for its token').first().waitFor();
    await page.goto(`${given.page}?token=${given.token}`);
    await page.locator('.verdict').waitFor();
    assert.equal(page.url(), given.page, 'the token is not kept in the address');
    assert.equal(await page.evaluate(() => document.cookie), '', 'nor for scripts');
    for (const host of ['evil.example', '127.0.0.1']) {
      await page.goto(`http://${host}:${other.address().port}/`);
      const got = await page.evaluate(async (target) => {
        const quiet = (promise) => promise.then(() => 'got', () => 'refused');
        const load = (kind, source) => new Promise((told) => {
          const one = Object.assign(document.createElement(kind), { onload: () => told('got'), onerror: () => told('refused'), src: source });
          document.body.append(one);
        });
        const frame = document.createElement('iframe');
        frame.src = target;
        document.body.append(frame);
        return [
          await quiet(fetch(`${target}api/v1/runs`, { credentials: 'include' })),
          await quiet(fetch(`${target}api/v1/runs`, { credentials: 'include', mode: 'no-cors' })),
          await load('img', `${target}icon.svg`),
          await load('script', `${target}page.js`),
        ];
      }, given.page);
      assert.deepEqual(got, ['refused', 'refused', 'refused', 'refused'], host);
      for (const frame of page.frames().slice(1)) assert.equal(await frame.locator('.verdict').count(), 0);
      await page.getByRole('link', { name: 'the runs' }).click();
      await page.locator('.verdict').waitFor();
    }
    const port = new URL(given.page).port;
    const rebound = await page.goto(`http://evil.example:${port}/`);
    assert.equal(rebound.status(), 403);
    complaints.length = 0; // all that was refused
    other.close();
  },
};

async function shoot(page, name) {
  const directory = process.env.NBC_TEST_SHOTS;
  if (directory) await page.screenshot({ path: `${directory}/${which}${name}.png` });
}

try {
  await cases[which]();
  assert.deepEqual(complaints, []);
} finally {
  if (given.daemon) process.kill(given.daemon, 'SIGCONT');
  await browser.close();
}
