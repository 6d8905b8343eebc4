// A libp2p node with the test protocols, and what it counts as responder.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { HTTP, HttpSide } from './http.js'
import { StreamSide, streamHandlers } from './streams.js'
import { open } from './duplex.js'

// js-libp2p allows 32 streams of a protocol unless told otherwise.
const MANY = { maxInboundStreams: 8192, maxOutboundStreams: 8192 }

const version = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies.libp2p

function zeroCounters () {
  return {
    echo_streams: 0, echo_max_open: 0, bulk_in: 0, bulk_out: 0, halfclose_bytes: 0,
    reset_seen: 0, sse_cancelled: 0, http_streams: 0, http_requests: 0
  }
}

export class TestPeer {
  static async start (keyFile, listen) {
    const peer = new TestPeer()
    peer.agent = `ocf-interop-js/${version}`
    peer.count = zeroCounters()
    peer.openNow = { all: 0, echo: 0 }
    peer.node = await createLibp2p({
      privateKey: privateKeyFromProtobuf(readFileSync(keyFile)),
      addresses: { listen: [listen] },
      nodeInfo: { name: 'ocf-interop-js', version, userAgent: peer.agent },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux(MANY)],
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify(), push: identifyPush({ debounce: 50 }), ping: ping({ ...MANY, timeout: 60_000 }) }
    })
    peer.streams = new StreamSide(peer)
    peer.http = new HttpSide(peer)
    for (const [protocol, serve] of Object.entries(streamHandlers)) {
      await peer.node.handle(protocol, (stream) => peer.streams.serve(stream, serve), MANY)
    }
    await peer.node.handle(HTTP, (stream) => peer.http.serve(stream), MANY)
    return peer
  }

  ready () {
    return {
      ready: true,
      impl: 'js-libp2p',
      version,
      peer_id: this.node.peerId.toString(),
      agent: this.agent,
      addrs: this.node.getMultiaddrs().map((a) => a.toString().replace(/\/p2p\/.*/, ''))
    }
  }

  // Runs one command; resolves to the members of its answer.
  async run (req) {
    const ms = req.timeout_ms ?? (req.cmd === 'bulk' ? 600_000 : 30_000)
    const signal = AbortSignal.timeout(ms)
    switch (req.cmd) {
      case 'dial': return await this.dial(req.addr, signal)
      case 'push': return await this.push(req)
      case 'counters': return this.counters(req.reset)
      case 'quit': return {}
    }
    const id = peerIdFromString(req.peer)
    const openStream = (protocol) => open(this.connection(id), protocol, signal)
    switch (req.cmd) {
      case 'wait_connected': return await this.waitConnected(id, signal)
      case 'wait_gone': return await waitUntil(() => this.node.getConnections(id).length === 0, signal)
      case 'disconnect': return void await this.node.hangUp(id, { signal })
      case 'ping': return await this.ping(id, req.n, signal)
      case 'identify': return await this.identify(id, signal)
      case 'wait_protocol':
        return await waitUntil(async () => await this.knows(id, req.protocol) !== (req.absent ?? false), signal)
      case 'streams': return await this.streams.echoMany(openStream, req.n, req.concurrency, req.bytes)
      case 'bulk': return await this.streams.bulk(openStream, req.dir, req.bytes)
      case 'halfclose': return await this.streams.halfclose(openStream, req.mode, req.bytes)
      case 'reset': return await this.streams.reset(openStream, req.mode)
      case 'http': return await this.http.request(openStream, req)
      case 'cancel': return await this.http.cancel(openStream, req)
    }
    throw new Error(`unknown command ${req.cmd}`)
  }

  connection (id) {
    const connection = this.node.getConnections(id).find((c) => c.status === 'open')
    if (connection == null) {
      throw new Error('not connected')
    }
    return connection
  }

  async dial (addr, signal) {
    const connection = await this.node.dial(multiaddr(addr), { signal })
    return await this.waitConnected(connection.remotePeer, signal)
  }

  // Ends when a connection exists and our identify of the peer has told its agent.
  async waitConnected (id, signal) {
    await waitUntil(async () => this.node.getConnections(id).length > 0 && await this.identified(id), signal)
    const { encryption, multiplexer } = this.connection(id)
    return { peer: id.toString(), security: encryption, muxer: multiplexer }
  }

  async identified (id) {
    return await this.node.peerStore.has(id) && (await this.node.peerStore.get(id)).metadata.has('AgentVersion')
  }

  async knows (id, protocol) {
    return await this.node.peerStore.has(id) && (await this.node.peerStore.get(id)).protocols.includes(protocol)
  }

  async ping (id, n, signal) {
    const times = []
    for (let i = 0; i < n; i++) {
      const start = performance.now()
      await this.node.services.ping.ping(id, { signal })
      times.push(Math.round((performance.now() - start) * 1000))
    }
    const sum = times.reduce((a, b) => a + b, 0)
    return { n, min_us: Math.min(...times), avg_us: Math.round(sum / n), max_us: Math.max(...times) }
  }

  async identify (id, signal) {
    const seen = await this.node.services.identify.identify(this.connection(id), { signal })
    return {
      peer_id: seen.peerId.toString(),
      agent: seen.agentVersion,
      protocol_version: seen.protocolVersion,
      protocols: seen.protocols,
      addrs: seen.listenAddrs.map((a) => a.toString()),
      observed: seen.observedAddr?.toString() ?? '',
      signed_record: seen.signedPeerRecord != null
    }
  }

  // Changes the protocol set; the identify service pushes by itself.
  async push ({ add, remove }) {
    if (add != null) {
      await this.node.handle(add, (stream) => stream.abort(new Error('nothing served')))
    } else {
      await this.node.unhandle(remove)
    }
  }

  counters (reset) {
    const out = { open: this.openNow.all, ...this.count }
    if (reset) {
      this.count = zeroCounters()
    }
    return out
  }
}

async function waitUntil (done, signal) {
  const start = Date.now()
  while (!await done()) {
    signal.throwIfAborted()
    await sleep(2)
  }
  return { ms: Date.now() - start }
}
