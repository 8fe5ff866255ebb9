// Uses all that crew offers with the TypeScript SDK and prints what it counted.
//
//   client.mjs SDK TRANSPORT MODE TARGET...
//
// SDK is 1 or 2. TRANSPORT is stdio (TARGET is a command), http or sse (TARGET is a URL). MODE is legacy, auto or a
// revision; 1 knows legacy alone. The packages are looked for in $NODE_MODULES.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [sdk, transport, mode, ...target] = process.argv.slice(2);
const require = createRequire(`${process.env.NODE_MODULES}/`);
const load = (path) => import(pathToFileURL(require.resolve(path)));
const calls = JSON.parse(readFileSync(new URL('calls.json', import.meta.url)));

async function packages() {
    if (sdk === '2') {
        const all = await load('@modelcontextprotocol/client');
        return { ...all, ...(await load('@modelcontextprotocol/client/stdio')) };
    }
    const parts = ['index', 'stdio', 'streamableHttp', 'sse'];
    const loaded = await Promise.all(parts.map((part) => load(`@modelcontextprotocol/sdk/client/${part}.js`)));
    return Object.assign({}, ...loaded);
}

const { Client, StdioClientTransport, StreamableHTTPClientTransport, SSEClientTransport } = await packages();

function way() {
    if (transport === 'stdio') {
        return new StdioClientTransport({ command: target[0], args: target.slice(1), stderr: 'ignore' });
    }
    const Transport = transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
    return new Transport(new URL(target[0]));
}

// All pages of a list.
async function walk(method, member) {
    const items = [];
    let cursor;
    do {
        const page = await client[method](cursor ? { cursor } : undefined);
        items.push(...page[member]);
        cursor = page.nextCursor;
    } while (cursor);
    return items;
}

async function refused(promise) {
    await assert.rejects(promise, (error) => typeof error.code === 'number');
    return 1;
}

const call = (params, options) =>
    sdk === '2' ? client.callTool(params, options) : client.callTool(params, undefined, options);

// Calls every tool; gives how often, and how much progress was told.
async function callAll(tools) {
    const names = [...new Set(calls.map((one) => one.tool))].sort();
    assert.deepEqual(tools.map((tool) => tool.name).sort(), names, 'calls.json does not fit the tools');
    let [told, task] = [0, null];
    for (const one of calls) {
        const text = JSON.stringify(one.arguments).replace('$task', task);
        const options = one.progress ? { onprogress: () => (told += 1) } : undefined;
        const result = await call({ name: one.tool, arguments: JSON.parse(text) }, options);
        assert(!result.isError, `${one.tool}: ${JSON.stringify(result)}`);
        assert(result.content[0].text, one.tool);
        task = result.structuredContent.task_id ?? task;
    }
    assert(told > 0, 'no progress was told');
    return told;
}

const negotiation = mode === 'legacy' || mode === 'auto' ? mode : { pin: mode };
const client = new Client({ name: 'interop', version: '1' }, { versionNegotiation: { mode: negotiation } });
const heard = new Set();
client.fallbackNotificationHandler = async ({ method }) => void heard.add(method);
const link = way();
// The transport is told the version, if nobody else is.
let version;
const tell = link.setProtocolVersion?.bind(link);
link.setProtocolVersion = (settled) => {
    version = settled;
    tell?.(settled);
};
await client.connect(link);
version = client.getNegotiatedProtocolVersion?.() ?? version;

const tools = await walk('listTools', 'tools');
const prompts = await walk('listPrompts', 'prompts');
for (const { name, arguments: taken } of prompts) {
    const values = Object.fromEntries((taken ?? []).map((argument) => [argument.name, 'x']));
    assert((await client.getPrompt({ name, arguments: values })).messages.length > 0, name);
}
const resources = await walk('listResources', 'resources');
for (const { uri } of resources) {
    const [contents] = (await client.readResource({ uri })).contents;
    assert(contents.uri === uri && contents.text, uri);
}
const templates = await walk('listResourceTemplates', 'resourceTemplates');
const ref = { type: 'ref/resource', uri: 'crew://employee/{name}' };
const { completion } = await client.complete({ ref, argument: { name: 'name', value: 'code' } });
assert(completion.values.includes('code-reviewer'), JSON.stringify(completion));
const told = await callAll(tools);
const wrong = await call({ name: 'get_employee', arguments: { name: 'nobody' } });
const facts = version > '2026' ? wrong.structuredContent : wrong._meta.failure;
assert(wrong.isError && facts.code === 'not-found', JSON.stringify(wrong));
let errors = 1;
errors += await refused(call({ name: 'no_such_tool', arguments: {} }));
errors += await refused(client.getPrompt({ name: 'nobody' }));
errors += await refused(client.readResource({ uri: 'crew://employee/nobody' }));
let changes = '-';
if (mode === 'legacy') {
    await client.ping();
    // An employee was created.
    const expected = ['prompts', 'resources'].map((kind) => `notifications/${kind}/list_changed`);
    for (let tries = 0; tries < 100 && !expected.every((one) => heard.has(one)); tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert(expected.every((one) => heard.has(one)), `heard of no change: ${[...heard]}`);
    changes = expected.length;
}
await client.close();
const lists = [prompts, resources, templates, completion.values].map((list) => list.length);
console.log(version, tools.length, calls.length, told, ...lists, changes, errors);
