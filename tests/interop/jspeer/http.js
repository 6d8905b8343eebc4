// HTTP/1.1 on /libp2p-http: node's own client and server on libp2p streams.

import { Agent, createServer, request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { StreamDuplex } from './duplex.js'
import { patternPieces } from './pattern.js'
import { guard } from './streams.js'

export const HTTP = '/libp2p-http'

const BODY_MAX = 4 << 20

async function body (message) {
  const parts = []
  let size = 0
  for await (const part of message) {
    parts.push(part)
    size += part.length
    if (size > BODY_MAX) {
      throw new Error('body too large')
    }
  }
  return Buffer.concat(parts)
}

export class HttpSide {
  constructor (peer) {
    this.peer = peer
    this.server = createServer((req, res) => {
      this.answer(req, res).catch((err) => {
        console.error('http', err)
        res.destroy(err)
      })
    })
  }

  serve (stream) {
    this.peer.count.http_streams++
    this.server.emit('connection', guard(new StreamDuplex(stream)))
  }

  hello (id) {
    return Buffer.from(`hello from ${id}\n`)
  }

  async answer (req, res) {
    const url = new URL(req.url, 'http://peer')
    const route = `${req.method} ${url.pathname}`
    if (route === 'GET /hello') {
      const text = this.hello(this.peer.node.peerId)
      res.writeHead(200, { 'content-type': 'text/plain', 'content-length': text.length }).end(text)
    } else if (route === 'POST /echo') {
      const all = await body(req)
      res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': all.length }).end(all)
    } else if (route === 'GET /sse') {
      return await this.sse(res, Number(url.searchParams.get('n')), Number(url.searchParams.get('delay_ms')))
    } else {
      return void res.writeHead(404, { 'content-length': 0 }).end()
    }
    this.peer.count.http_requests++
  }

  async sse (res, n, delay) {
    let left = false
    res.on('close', () => { left = !res.writableFinished })
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    for (let k = 0; k < n && !left; k++) {
      res.write(`data: {"i":${k}}\n\n`)
      await sleep(delay)
    }
    if (left) {
      this.peer.count.sse_cancelled++
      return
    }
    this.peer.count.http_requests++
    res.end('data: [DONE]\n\n')
  }

  async request (open, req) {
    switch (req.op) {
      case 'get': return await this.get(await agentOn(open), req.peer)
      case 'post': return await this.post(await agentOn(open), req.bytes, req.chunked)
      case 'sse': return await this.readSSE(await agentOn(open), req.n, req.delay_ms)
      case 'keepalive': return await this.keepalive(open, req)
    }
    throw new Error(`unknown op ${req.op}`)
  }

  async get (agent, id) {
    return await exchange(agent, { path: '/hello' }, [], this.hello(id))
  }

  async post (agent, bytes, chunked) {
    const pieces = [...patternPieces(0, bytes)]
    const headers = chunked ? {} : { 'content-length': bytes }
    return await exchange(agent, { method: 'POST', path: '/echo', headers }, pieces, Buffer.concat(pieces))
  }

  async readSSE (agent, n, delay) {
    const start = performance.now()
    const res = await send(agent, { path: `/sse?n=${n}&delay_ms=${delay}` }, [])
    const out = { status: res.statusCode, events: 0, done: false, first_ms: 0, last_ms: 0 }
    let done = false
    for await (const line of createInterface({ input: res })) {
      if (line === `data: {"i":${out.events}}`) {
        out.last_ms = Math.round(performance.now() - start)
        out.first_ms = out.events++ === 0 ? out.last_ms : out.first_ms
      } else if (line === 'data: [DONE]') {
        done = true
      } else if (line !== '') {
        throw new Error(`unexpected line ${line}`)
      }
    }
    out.done = done && res.complete
    return out
  }

  async keepalive (open, { n, peer }) {
    let streams = 0
    const agent = await agentOn((protocol) => { streams++; return open(protocol) })
    for (let k = 0; k < n; k++) {
      await (k % 2 === 0 ? this.get(agent, peer) : this.post(agent, 1024, false))
    }
    agent.destroy()
    return { n, streams }
  }

  async cancel (open, { events, delay_ms: delay }) {
    let duplex
    const agent = await agentOn(async (protocol) => { duplex = await open(protocol); return duplex })
    const res = await send(agent, { path: `/sse?n=1000000&delay_ms=${delay}` }, [])
    res.on('error', () => {}) // our own reset
    let seen = 0
    await new Promise((resolve, reject) => {
      const lines = createInterface({ input: res })
      lines.on('line', (line) => {
        seen += seen < events && line.startsWith('data: ') ? 1 : 0
        if (seen === events) {
          resolve()
        }
      })
      lines.on('close', () => reject(new Error(`the stream ended after ${seen} events`)))
      lines.on('error', () => {})
    })
    duplex.destroy(new Error('as asked'))
    return { events: seen }
  }
}

// An agent whose connections are new streams.
async function agentOn (open) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agent.createConnection = (options, done) => {
    open(HTTP).then((duplex) => done(null, guard(duplex)), done)
  }
  return agent
}

// Sends a request; resolves to its response, whose body is still to be read.
function send (agent, options, pieces) {
  return new Promise((resolve, reject) => {
    const req = request({ agent, host: 'peer', ...options }, resolve)
    req.on('error', reject)
    for (const piece of pieces) {
      req.write(piece)
    }
    req.end()
  })
}

async function exchange (agent, options, pieces, want) {
  const res = await send(agent, options, pieces)
  const got = await body(res)
  if (res.statusCode !== 200 || !got.equals(want)) {
    throw new Error(`status ${res.statusCode}, ${got.length} bytes of ${want.length} or other ones`)
  }
  return { status: res.statusCode, bytes: got.length }
}
