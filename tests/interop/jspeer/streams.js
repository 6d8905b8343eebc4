// The four test protocols, both roles.

import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { StreamDuplex } from './duplex.js'
import { checkPattern, patternPieces } from './pattern.js'

const ECHO = '/ocf/test/echo/1.0.0'
const BULK = '/ocf/test/bulk/1.0.0'
const HALFCLOSE = '/ocf/test/halfclose/1.0.0'
const RESET = '/ocf/test/reset/1.0.0'

const HALFCLOSE_MAX = 4 << 20
const RESET_BYTES = 1 << 16

export const streamHandlers = { [ECHO]: serveEcho, [BULK]: serveBulk, [HALFCLOSE]: serveHalfclose, [RESET]: serveReset }

async function write (duplex, data) {
  if (duplex.destroyed) {
    throw duplex.errored ?? new Error('the stream is gone')
  }
  if (!duplex.write(data)) {
    await once(duplex, 'drain') // rejects on 'error'
  }
}

async function writePattern (duplex, at, n) {
  for (const piece of patternPieces(at, n)) {
    await write(duplex, piece)
  }
}

// Takes bytes out of a stream in pieces of a wanted size.
class Reader {
  constructor (duplex) {
    this.source = duplex.iterator({ destroyOnReturn: false })
    this.rest = Buffer.alloc(0)
  }

  // The next bytes, at most n; null at the end.
  async some (n) {
    if (this.rest.length === 0) {
      const { done, value } = await this.source.next()
      if (done) {
        return null
      }
      this.rest = value
    }
    const out = this.rest.subarray(0, n)
    this.rest = this.rest.subarray(out.length)
    return out
  }

  async exactly (n) {
    const parts = []
    for (let got = 0; got < n;) {
      const part = await this.some(n - got)
      if (part == null) {
        throw new Error(`the stream ended ${n - got} bytes early`)
      }
      parts.push(part)
      got += part.length
    }
    return Buffer.concat(parts)
  }

  async pattern (at, n) {
    while (n > 0) {
      const part = await this.some(n)
      if (part == null) {
        throw new Error(`the stream ended ${n} bytes early`)
      }
      checkPattern(part, at)
      at += part.length
      n -= part.length
    }
  }

  async end () {
    if (await this.some(1) != null) {
      throw new Error('bytes after the expected end')
    }
  }

  // Everything up to the end, at most `max` bytes.
  async all (max) {
    const parts = []
    let got = 0
    for (let part; (part = await this.some(max + 1)) != null;) {
      parts.push(part)
      got += part.length
      if (got > max) {
        throw new Error(`more than ${max} bytes`)
      }
    }
    return Buffer.concat(parts)
  }
}

async function serveEcho (duplex, peer) {
  peer.count.echo_streams++
  peer.count.echo_max_open = Math.max(peer.count.echo_max_open, ++peer.openNow.echo)
  try {
    for await (const chunk of duplex.iterator({ destroyOnReturn: false })) {
      await write(duplex, chunk)
    }
  } finally {
    peer.openNow.echo--
  }
}

async function serveBulk (duplex, peer) {
  const reader = new Reader(duplex)
  const head = await reader.exactly(13)
  const n = Number(head.readBigUInt64BE(1))
  const at = head.readUInt32BE(9)
  if (head[0] === 0x53) { // S
    await reader.pattern(at, n)
    await reader.end()
    peer.count.bulk_in += n
    await write(duplex, head.subarray(1, 9))
  } else if (head[0] === 0x52) { // R
    await reader.end()
    peer.count.bulk_out += n
    await writePattern(duplex, at, n)
  } else {
    throw new Error(`unknown direction ${head[0]}`)
  }
}

async function serveHalfclose (duplex, peer) {
  const reader = new Reader(duplex)
  const mode = (await reader.exactly(1)).toString()
  if (mode === 'R') {
    duplex.end('bye\n')
  }
  const all = await reader.all(HALFCLOSE_MAX)
  checkPattern(all, 0)
  peer.count.halfclose_bytes += all.length
  if (mode === 'I') {
    await write(duplex, all)
  }
}

async function serveReset (duplex, peer) {
  const mode = (await new Reader(duplex).exactly(1)).toString()
  if (mode === 'R') {
    await writePattern(duplex, 0, 1000)
    duplex.destroy(new Error('as asked'))
    return
  }
  try {
    await writePattern(duplex, 0, Number.MAX_SAFE_INTEGER)
  } catch (err) {
    if (!duplex.resetSeen) {
      throw err
    }
    peer.count.reset_seen++
  }
}

export class StreamSide {
  constructor (peer) {
    this.peer = peer
  }

  // Runs a responder, then closes its stream, or resets it after an error.
  async serve (stream, responder) {
    const duplex = new StreamDuplex(stream)
    duplex.on('error', () => {}) // seen by whoever reads or writes
    this.peer.openNow.all++
    try {
      await responder(duplex, this.peer)
      duplex.end()
    } catch (err) {
      console.error('serve', stream.protocol, err)
      duplex.destroy(err)
    } finally {
      this.peer.openNow.all--
    }
  }

  async echoMany (open, n, concurrency, bytes) {
    for (let first = 0; first < n; first += concurrency) {
      const batch = Math.min(concurrency, n - first)
      await this.echoBatch(open, first, batch, bytes)
    }
    return { n, bytes: n * bytes }
  }

  // None of the batch goes on before all have half of their bytes back.
  async echoBatch (open, first, batch, bytes) {
    const half = Math.floor(bytes / 2)
    const streams = await Promise.all(Array.from({ length: batch }, async (_, k) => {
      const duplex = guard(await open(ECHO))
      return { duplex, reader: new Reader(duplex), at: (first + k) * 4099 }
    }))
    await Promise.all(streams.map((s) => echoPart(s, s.at, half)))
    await Promise.all(streams.map(async (s) => {
      await echoPart(s, s.at + half, bytes - half)
      s.duplex.end()
      await s.reader.end()
      await finished(s.duplex)
    }))
  }

  async bulk (open, dir, bytes) {
    const start = Date.now()
    const at = start % (1 << 24)
    const duplex = guard(await open(BULK))
    const reader = new Reader(duplex)
    const head = Buffer.alloc(13)
    head[0] = dir === 'send' ? 0x53 : 0x52
    head.writeBigUInt64BE(BigInt(bytes), 1)
    head.writeUInt32BE(at, 9)
    await write(duplex, head)
    if (dir === 'send') {
      await writePattern(duplex, at, bytes)
      duplex.end()
      const seen = Number((await reader.exactly(8)).readBigUInt64BE())
      if (seen !== bytes) {
        throw new Error(`the responder saw ${seen} of ${bytes} bytes`)
      }
    } else {
      duplex.end()
      await reader.pattern(at, bytes)
    }
    await reader.end()
    await finished(duplex)
    return { bytes, ms: Date.now() - start }
  }

  async halfclose (open, mode, bytes) {
    const duplex = guard(await open(HALFCLOSE))
    const reader = new Reader(duplex)
    await write(duplex, mode === 'initiator' ? 'I' : 'R')
    if (mode === 'initiator') {
      await writePattern(duplex, 0, bytes)
      duplex.end()
      await reader.pattern(0, bytes)
      await reader.end()
    } else {
      const bye = (await reader.all(100)).toString()
      if (bye !== 'bye\n') {
        throw new Error(`expected bye, got ${bye}`)
      }
      await writePattern(duplex, 0, bytes)
      duplex.end()
    }
    await finished(duplex)
    return { bytes }
  }

  async reset (open, mode) {
    const duplex = guard(await open(RESET))
    const reader = new Reader(duplex)
    await write(duplex, mode === 'initiator' ? 'I' : 'R')
    if (mode === 'initiator') {
      await reader.pattern(0, RESET_BYTES)
      duplex.destroy(new Error('as asked'))
      return { bytes: RESET_BYTES }
    }
    let bytes = 0
    try {
      for (let part; (part = await reader.some(1 << 16)) != null;) {
        bytes += part.length
      }
    } catch (err) {
      if (duplex.resetSeen) {
        return { bytes }
      }
      throw err
    }
    throw new Error(`expected a reset, got an end after ${bytes} bytes`)
  }
}

// Errors reach whoever reads or writes; without a listener they would end the process.
export function guard (duplex) {
  return duplex.on('error', () => {})
}

// Sends n bytes and reads them back at the same time, so that no size can block both sides.
async function echoPart ({ duplex, reader }, at, n) {
  await Promise.all([writePattern(duplex, at, n), reader.pattern(at, n)])
}
