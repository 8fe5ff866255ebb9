// Uses all that crew offers with the command line of the MCP Inspector and prints what it counted.
//
//   inspector.mjs TRANSPORT MODE TARGET...
//
// TRANSPORT is stdio (TARGET is a command), http or sse (TARGET is a URL). MODE is legacy, auto or modern. The package
// is looked for in $NODE_MODULES.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [transport, mode, ...target] = process.argv.slice(2);
const program = `${process.env.NODE_MODULES}/@modelcontextprotocol/inspector/clients/launcher/build/index.js`;
const calls = JSON.parse(readFileSync(new URL('calls.json', import.meta.url)));

// Runs one method in a process of its own.
function run(method, ...words) {
    const where = ['--transport', transport, '--protocol-era', mode, '--quiet', '--format', 'json'];
    const all = [program, '--cli', ...target, ...where, '--method', method, ...words];
    return spawnSync(process.execPath, all, { encoding: 'utf8', timeout: 60_000 });
}

function ask(method, ...words) {
    const { status, stdout, stderr } = run(method, ...words);
    assert.equal(status, 0, `${method} ${words.join(' ')}: ${stdout}${stderr}`);
    const answer = JSON.parse(stdout);
    return answer.result ?? answer;
}

function refused(method, ...words) {
    const { status, stdout } = run(method, ...words);
    assert.notEqual(status, 0, `${method} ${words.join(' ')}: ${stdout}`);
    return 1;
}

const { tools } = ask('tools/list', '--strict');
const { prompts } = ask('prompts/list');
for (const { name, arguments: taken } of prompts) {
    const values = (taken ?? []).flatMap((argument) => ['--prompt-args', `${argument.name}=x`]);
    assert(ask('prompts/get', '--prompt-name', name, ...values).messages.length > 0, name);
}
const { resources } = ask('resources/list');
for (const { uri } of resources) {
    const [contents] = ask('resources/read', '--uri', uri).contents;
    assert(contents.uri === uri && contents.text, uri);
}
const { resourceTemplates } = ask('resources/templates/list');
let task = null;
for (const one of calls) {
    const text = JSON.stringify(one.arguments).replace('$task', task);
    const result = ask('tools/call', '--tool-name', one.tool, '--tool-args-json', text);
    assert(!result.isError && result.content[0].text, JSON.stringify(result));
    task = result.structuredContent.task_id ?? task;
}
let errors = refused('tools/call', '--tool-name', 'get_employee', '--tool-args-json', '{"name":"nobody"}');
errors += refused('tools/call', '--tool-name', 'no_such_tool');
errors += refused('prompts/get', '--prompt-name', 'nobody');
errors += refused('resources/read', '--uri', 'crew://employee/nobody');
const version = { legacy: '2025-11-25', modern: '2026-07-28' }[mode];
// It can neither complete nor show what is told on the way.
const lists = [prompts, resources, resourceTemplates].map((list) => list.length);
console.log(version, tools.length, calls.length, '-', ...lists, '-', '-', errors);
