// Sends every example of GitHub's deliveries (the npm package @octokit/webhooks-examples) to a server, signed, twice, half
// of them as forms, and one of them ten thousand times; prints what was counted. Fails when a delivery is refused, goes
// another way than its route says, or runs twice.
//
//   webhooks.mjs PROGRAM [REDELIVERIES]
//
// The package is looked for in $NODE_MODULES; tests/interop/webhooks.sh installs it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [program, count = '10000'] = process.argv.slice(2);
const examples = JSON.parse(readFileSync(`${process.env.NODE_MODULES}/@octokit/webhooks-examples/api.github.com/index.json`));
const secret = "It's a Secret to Everybody";

const project = mkdtempSync(join(tmpdir(), 'crew-webhooks-'));
mkdirSync(join(project, '.crew/employees'), { recursive: true });
for (const name of ['pulls', 'branches', 'others']) {
    const text = `---\nname: ${name}\ndescription: Reads\nmodel: echo\nargs: [{name: what, required: true}]\n---\nRead $what.\n`;
    writeFileSync(join(project, `.crew/employees/${name}.md`), text);
}
const route = (event, name, what) => ({ event, target: { type: 'employee', name, args: { what } } });
const routes = [
    route(['pull_request', 'pull_request_review*'], 'pulls', '{{pull_request.title}} {{pull_request.labels}} {{pull_request.body | default("none")}}'),
    route(['push', 'create', 'delete'], 'branches', '{{ref}} by {{sender.login}}'),
    route('*', 'others', '{{action | default("-")}} {{sender.login | default("nobody")}} {{repository.full_name | default("-")}}'),
];
writeFileSync(join(project, '.crew/webhook.yaml'), JSON.stringify({ github_secret: secret, routes }));

// All of them come from one address, which otherwise has 300 in a minute.
const env = { HOME: project, CREW_WEBHOOK_RATE_LIMIT_PER_MINUTE: '0' };
const server = spawn(program, ['serve', '--port', '0'], { cwd: project, env, stdio: ['ignore', 'ignore', 'pipe'] });
process.on('exit', () => {
    server.kill();
    rmSync(project, { recursive: true, force: true });
});
const url = await new Promise((found, failed) => {
    let told = '';
    server.stderr.on('data', (part) => {
        told += part;
        const address = told.match(/http:\/\/127\.0\.0\.1:\d+/);
        if (address) found(address[0]);
    });
    server.on('exit', () => failed(new Error(told)));
});
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

function ask(method, path, headers = {}, body = '') {
    return new Promise((answered, failed) => {
        const request = http.request(url + path, { method, agent, headers }, (response) => {
            let text = '';
            response.on('data', (part) => (text += part));
            response.on('end', () => answered({ status: response.statusCode, body: JSON.parse(text) }));
        });
        request.on('error', failed);
        request.end(body);
    });
}

function deliver(event, id, payload, form) {
    const json = JSON.stringify(payload);
    const body = form ? new URLSearchParams({ payload: json }).toString() : json;
    return ask('POST', '/webhook/github', {
        'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json',
        'content-length': Buffer.byteLength(body),
        'x-github-event': event,
        'x-github-delivery': id,
        'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    }, body);
}

const counts = { events: 0, payloads: 0, accepted: 0, pings: 0, repeated: 0, pulls: 0, branches: 0, others: 0 };
const tasks = new Map();
for (const { name: event, examples: payloads } of examples) {
    counts.events += 1;
    for (const [number, payload] of payloads.entries()) {
        counts.payloads += 1;
        const id = `${event}-${number}`;
        const { status, body } = await deliver(event, id, payload, number % 2 === 1);
        if (event === 'ping') {
            assert.deepEqual([status, body.message], [200, 'pong']);
            counts.pings += 1;
            continue;
        }
        assert.equal(status, 202, `${id}: ${JSON.stringify(body)}`);
        counts.accepted += 1;
        tasks.set(id, body.task_id);
        const again = await deliver(event, id, payload, number % 2 === 1);
        assert.deepEqual([again.status, again.body.task_id, again.body.duplicate], [200, body.task_id, true], id);
        counts.repeated += 1;
        const wanted = /^pull_request($|_review)/.test(event) ? 'pulls' : ['push', 'create', 'delete'].includes(event) ? 'branches' : 'others';
        const task = (await ask('GET', `/tasks/${body.task_id}`)).body;
        
        assert.equal(task.target_name, wanted, id);
        counts[task.target_name] += 1;
    }
}
const { name: event, examples: [payload] } = examples.find(({ name }) => name === 'push');
let left = Number(count);
const redeliveries = left;
const started = performance.now();
await Promise.all(Array.from({ length: 16 }, async () => {
    while (left-- > 0) {
        const { status, body } = await deliver(event, 'push-0', payload, false);
        assert.deepEqual([status, body.task_id], [200, tasks.get('push-0')]);
    }
}));
const seconds = (performance.now() - started) / 1000;
const metrics = (await ask('GET', '/metrics')).body;
assert.equal(new Set(tasks.values()).size, counts.accepted);
let settled = metrics;
while (settled.calls.total < counts.accepted) settled = (await ask('GET', '/metrics')).body;
assert.equal(settled.calls.total, counts.accepted, 'each delivery ran once');
console.log(JSON.stringify({ ...counts, redeliveries, per_second: Math.round(redeliveries / seconds), calls: settled.calls.total }));
process.exit(0);
