/** Fails when the scripts and styles that the page loads are larger than they may be, compressed. */
import { readdir, readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const LIMIT_BYTES = 200 * 1024;

const assets = new URL("../dist/assets/", import.meta.url);
const names = (await readdir(assets)).filter((name) => /\.(js|css)$/.test(name));
if (names.length === 0) throw new Error("dist/assets has no script: run `npm run build`");
let total = 0;
for (const name of names) {
  const bytes = gzipSync(await readFile(new URL(name, assets))).length;
  total += bytes;
  console.log(`${(bytes / 1024).toFixed(1).padStart(7)} KiB  ${name}`);
}
console.log(`${(total / 1024).toFixed(1).padStart(7)} KiB  of ${String(LIMIT_BYTES / 1024)} KiB, by gzip`);
if (total > LIMIT_BYTES) process.exit(1);
