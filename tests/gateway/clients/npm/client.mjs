// What a program does with OpenAI's SDK; only base URL and key come from outside. `node client.mjs SCENARIO MODEL`
// prints one JSON document: what the program saw.
import OpenAI from "openai";

const [scenario, model] = process.argv.slice(2);
const client = new OpenAI({
  baseURL: process.env.GATEWAY_URL,
  apiKey: process.env.GATEWAY_KEY,
  maxRetries: scenario === "retry" ? 4 : 0,
});
const messages = [{ role: "user", content: process.env.QUESTION ?? "What is the answer?" }];
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

const scenarios = {
  async whole() {
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    return {
      text: data.choices[0].message.content,
      tokens: data.usage.total_tokens,
      policy: response.headers.get("x-verilabel-policy"),
    };
  },
  async stream() {
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
    return { text };
  },
  async tools() {
    const tools = [{ type: "function", function: { name: "lookup", parameters } }];
    const whole = await client.chat.completions.create({ model, messages, tools });
    const streamed = await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
    const calls = (completion) =>
      completion.choices[0].message.tool_calls.map((call) => [
        call.function.name,
        JSON.parse(call.function.arguments),
      ]);
    return { whole: calls(whole), streamed: calls(streamed), finish: streamed.choices[0].finish_reason };
  },
  async responses() {
    const whole = await client.responses.create({ model, input: "What is the answer?" });
    const stream = client.responses.stream({ model, input: "What is the answer?" });
    let text = "";
    for await (const event of stream) if (event.type === "response.output_text.delta") text += event.delta;
    return { whole: whole.output_text, streamed: text, final: (await stream.finalResponse()).output_text };
  },
  async embeddings() {
    const made = await client.embeddings.create({ model, input: ["one", "two"] });
    return { vectors: made.data.map((each) => each.embedding) };
  },
  async models() {
    const names = [];
    for await (const each of client.models.list()) names.push(each.id);
    return { names };
  },
  async retry() {
    const texts = [];
    for (let i = 0; i < 3; i++) {
      const done = await client.chat.completions.create({ model, messages });
      texts.push(done.choices[0].message.content);
    }
    return { texts };
  },
};

try {
  console.log(JSON.stringify(await scenarios[scenario]()));
} catch (error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  console.log(
    JSON.stringify({
      error: error.constructor.name,
      status: error.status ?? null,
      code: error.code ?? null,
      message: error.message,
    }),
  );
}
