// The pattern of ../README.md, one whole period.

const PERIOD = 1 << 24

const pattern = Buffer.alloc(PERIOD)
for (let i = 0; i < PERIOD; i++) {
  pattern[i] = i ^ (i >> 8) ^ (i >> 16)
}

// A piece of the pattern from offset `at` on, at most n bytes and never empty.
function patternAt (at, n) {
  const start = at % PERIOD
  return pattern.subarray(start, Math.min(start + n, PERIOD))
}

// Pieces of at most 64 KiB that make up n pattern bytes from offset `at` on.
export function * patternPieces (at, n) {
  while (n > 0) {
    const piece = patternAt(at, Math.min(n, 1 << 16))
    yield piece
    at += piece.length
    n -= piece.length
  }
}

// Throws unless `buf` equals the pattern from offset `at` on.
export function checkPattern (buf, at) {
  while (buf.length > 0) {
    const want = patternAt(at, buf.length)
    if (!want.equals(buf.subarray(0, want.length))) {
      throw new Error(`wrong byte at pattern offset ${at} or up to ${want.length - 1} later`)
    }
    buf = buf.subarray(want.length)
    at += want.length
  }
}
