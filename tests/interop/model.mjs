// Answers as a model of OpenAI would, a little later; prints its address.
import { createServer } from 'node:http';

const pause = 100;
const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const message = { role: 'assistant', content: 'done' };
const answer = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }], usage });

const server = createServer((request, response) => {
    request.resume().on('end', () => {
        setTimeout(() => response.setHeader('content-type', 'application/json').end(answer), pause);
    });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
