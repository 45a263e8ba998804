// Holds the reader of frames against the golden vectors of the protocol: node vectors.mjs FILE...

import { readFileSync } from 'node:fs';
import { decode } from './link.mjs';

let wrong = 0;
let seen = 0;
for (const file of process.argv.slice(2)) {
  for (const { name, from, frame, outcome } of JSON.parse(readFileSync(file, 'utf8'))) {
    // What is not UTF-8 is the WebSocket's to refuse.
    if (from !== 'server' || frame === undefined) continue;
    let read = 'read';
    try {
      decode(frame);
    } catch (error) {
      read = `refused: ${error.message}`;
    }
    seen++;
    if ((read === 'read') === (outcome === 'close')) {
      wrong++;
      console.error(`${file}: "${name}" is ${outcome}, and was ${read}`);
    }
  }
}
if (seen === 0) console.error('no vector was given');
process.exitCode = wrong > 0 || seen === 0 ? 1 : 0;
