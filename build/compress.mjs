/**
 * Puts beside each file below a folder that gains by it what it is in brotli (`.br`) and in gzip (`.gz`).
 *
 * Brotli's last two levels take ten times as long for another tenth.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import zlib from "node:zlib";

const BROTLI_QUALITY = 9;
/** What is shorter fits into one packet. */
const SHORT = 1_024;
/** Compressed in themselves. */
const DENSE = /\.(woff2?|png|jpe?g|webp|avif|br|gz)$/;

const brotli = promisify(zlib.brotliCompress);
const gzip = promisify(zlib.gzip);

const folder = process.argv[2];
for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || DENSE.test(entry.name)) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  const plain = await readFile(path);
  if (plain.length <= SHORT) continue;
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
  const params = { [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY, [BROTLI_PARAM_SIZE_HINT]: plain.length };
  const [smaller, small] = await Promise.all([brotli(plain, { params }), gzip(plain, { level: 9 })]);
  if (Math.max(smaller.length, small.length) > 0.9 * plain.length) continue;
  await Promise.all([writeFile(`${path}.br`, smaller), writeFile(`${path}.gz`, small)]);
}
