// node --import: the modules of the page are those that are installed, in the folder BEACON_PAGE.
//
// The wheel has them smaller (scripts/smaller_page.py); what they do must be the same, and the same
// tests say so.

import { existsSync } from 'node:fs';
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';

const folder = process.env.BEACON_PAGE ?? '';
if (!existsSync(`${folder}/js/main.js`)) throw new Error(`no page in BEACON_PAGE: '${folder}'`);
const here = new URL('../../static/js/', import.meta.url).href;
const there = pathToFileURL(`${folder}/js/`).href;
register(
  `data:text/javascript,${encodeURIComponent(`
    export async function resolve(name, context, next) {
      const found = await next(name, context);
      if (!found.url.startsWith('${here}')) return found;
      return { ...found, url: '${there}' + found.url.slice(${here.length}) };
    }`)}`,
);
