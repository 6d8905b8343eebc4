// The js peer of the interoperability tests: js-libp2p behind the control protocol of ../README.md.

import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { TestPeer } from './peer.js'

const { values: args } = parseArgs({
  options: {
    'key-file': { type: 'string' },
    listen: { type: 'string', default: '/ip4/127.0.0.1/tcp/0' },
    security: { type: 'string', default: 'noise' }
  }
})
if (args.security !== 'noise') {
  throw new Error('this peer speaks noise only')
}

function say (answer) {
  process.stdout.write(JSON.stringify(answer) + '\n')
}

const peer = await TestPeer.start(args['key-file'], args.listen)
say(peer.ready())

for await (const line of createInterface({ input: process.stdin })) {
  const req = JSON.parse(line)
  try {
    say({ id: req.id, ok: true, ...await peer.run(req) })
  } catch (err) {
    console.error(req.cmd, err)
    say({ id: req.id, ok: false, error: String(err) })
  }
  if (req.cmd === 'quit') {
    break
  }
}
process.exit(0)
