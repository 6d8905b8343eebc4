// A libp2p stream as a node Duplex: back-pressure in both directions, half-close, and a reset as an error.

import { Duplex } from 'node:stream'

export class StreamDuplex extends Duplex {
  constructor (stream) {
    super({ allowHalfOpen: true, readableHighWaterMark: 1 << 18, writableHighWaterMark: 1 << 18 })
    this.stream = stream
    this.resetSeen = false
    stream.addEventListener('message', ({ data }) => this.received(data))
    stream.addEventListener('end', () => this.ended())
    stream.addEventListener('close', ({ error }) => this.closed(error))
    // Negotiation may have read ahead and put bytes back after the stream's end was announced; the
    // listener above gets them in the next microtask.
    if (stream.readableEnded) {
      queueMicrotask(() => this.ended())
    }
  }

  received (data) {
    for (const piece of data instanceof Uint8Array ? [data] : data) {
      if (!this.push(piece) && this.stream.readStatus === 'readable') {
        this.stream.pause()
      }
    }
  }

  ended () {
    if (this.stream.status !== 'aborted' && this.stream.status !== 'reset') {
      this.push(null)
    }
  }

  closed (error) {
    this.resetSeen = error != null && this.stream.status === 'reset'
    if (error != null) {
      this.destroy(error)
    }
  }

  _read () {
    if (this.stream.readStatus === 'paused') {
      this.stream.resume()
    }
  }

  _write (chunk, encoding, done) {
    this.writev([chunk], done)
  }

  _writev (chunks, done) {
    this.writev(chunks.map(({ chunk }) => chunk), done)
  }

  writev (chunks, done) {
    const send = async () => {
      for (const chunk of chunks) {
        this.stream.send(chunk)
        while (this.stream.writableNeedsDrain) {
          await drained(this.stream)
        }
      }
    }
    send().then(() => done(), done)
  }

  _final (done) {
    this.stream.close().then(() => done(), done)
  }

  // A stream that did not end well in both directions is reset.
  _destroy (err, done) {
    if (this.stream.status === 'open' || this.stream.status === 'closing') {
      this.stream.abort(err ?? new Error('destroyed'))
    }
    done(err)
  }

  // What node's HTTP expects of a socket.
  setTimeout () { return this }
  setNoDelay () { return this }
  setKeepAlive () { return this }
  ref () { return this }
  unref () { return this }
}

// The stream's next 'drain', or an error when it closes first. Its own onDrain() stays resolved once it
// was, and so holds back only the first writer.
function drained (stream) {
  return new Promise((resolve, reject) => {
    const done = (event) => {
      stream.removeEventListener('drain', done)
      stream.removeEventListener('close', done)
      event.type === 'drain' ? resolve() : reject(event.error ?? new Error('closed while writing'))
    }
    stream.addEventListener('drain', done)
    stream.addEventListener('close', done)
  })
}

export async function open (connection, protocol, signal) {
  const duplex = new StreamDuplex(await connection.newStream(protocol, { signal }))
  signal.addEventListener('abort', () => duplex.destroy(signal.reason), { once: true })
  return duplex
}
