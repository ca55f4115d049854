// A client on xmpp.js that uses the agent as a person would, and prints what it saw as one JSON object.
// node visitor.mjs SERVICE DOMAIN USER PASSWORD AGENT      (NODE_EXTRA_CA_CERTS names the server's CA)
import { createHash } from "node:crypto";
import net from "node:net";

net.setDefaultAutoSelectFamilyAttemptTimeout?.(5000); // of "localhost" both families are tried, each for 250 ms only
globalThis.crypto ??= (await import("node:crypto")).webcrypto; // Node 18 has it, but not as a global
const { client, xml, jid } = await import("@xmpp/client");

const [service, domain, username, password, agent] = process.argv.slice(2);
const STREAM = "urn:nf:iot:sd:1.0";
const PUBSUB = "http://jabber.org/protocol/pubsub";
const INFO = "http://jabber.org/protocol/disco#info";
const ITEMS = "http://jabber.org/protocol/disco#items";
const COMMANDS = "http://jabber.org/protocol/commands";
const DATA = "jabber:x:data";
const CAPS = "http://jabber.org/protocol/caps";
const LIMIT = 15000;

const device = jid(agent).bare().toString();
const me = client({ service, domain, username, password, resource: "visitor" });
const seen = { readings: [], replies: [] };
let noticed = () => {};

// What we are, so that the server sends us the events we want (XEP-0115).
const features = [CAPS, INFO, `${STREAM}+notify`].sort();
const verification = createHash("sha1")
  .update(`client/console//visitor<${features.map((feature) => `${feature}<`).join("")}`)
  .digest("base64");
me.iqCallee.get(INFO, "query", ({ element }) =>
  xml(
    "query",
    { xmlns: INFO, node: element.attrs.node },
    xml("identity", { category: "client", type: "console", name: "visitor" }),
    ...features.map((feature) => xml("feature", { var: feature })),
  ),
);

me.on("stanza", (stanza) => {
  const from = stanza.attrs.from ?? "";
  if (stanza.is("presence") && jid(from).bare().toString() === device) {
    if (stanza.attrs.type === "subscribe") me.send(xml("presence", { to: device, type: "subscribed" }));
    if (!stanza.attrs.type && from === agent) seen.presence = stanza.getChildText("status") ?? "";
  } else if (stanza.is("message")) {
    const items = stanza.getChild("event", `${PUBSUB}#event`)?.getChild("items");
    const resp = items?.attrs.node === STREAM && items.getChild("item")?.getChild("resp", STREAM);
    for (const node of resp ? resp.getChildren("nd") : [])
      for (const instant of node.getChildren("ts"))
        for (const field of instant.children)
          seen.readings.push({ thing: node.attrs.id, kind: field.name, ...field.attrs });
    if (stanza.getChildText("body")) seen.replies.push(stanza.getChildText("body"));
  }
  noticed();
});
me.on("error", (error) => fail(error));

async function until(condition, what) {
  const deadline = setTimeout(() => fail(new Error(`not seen: ${what}`)), LIMIT);
  while (!condition()) await new Promise((resolve) => (noticed = resolve));
  clearTimeout(deadline);
}

async function command(node, attributes, values) {
  const form =
    values &&
    xml(
      "x",
      { xmlns: DATA, type: "submit" },
      ...Object.entries(values).map(([name, value]) => xml("field", { var: name }, xml("value", {}, value))),
    );
  const asked = xml("command", { xmlns: COMMANDS, node, ...attributes }, form);
  const answer = await me.iqCaller.request(xml("iq", { type: "set", to: agent }, asked), LIMIT);
  return answer.getChild("command", COMMANDS);
}

function fields(answer) {
  const found = answer.getChild("x", DATA)?.getChildren("field") ?? [];
  return Object.fromEntries(found.map((field) => [field.attrs.var ?? "", field.getChildText("value")]));
}

function fail(error) {
  console.log(JSON.stringify({ ...seen, error: error.condition ?? error.message }));
  process.exit(1);
}

async function visit() {
  await me.start();
  await me.send(xml("presence", {}, xml("c", { xmlns: CAPS, hash: "sha-1", node: "urn:visitor", ver: verification })));
  await me.send(xml("presence", { to: device, type: "subscribe" }));
  if (process.argv[7] === "stranger") {
    seen.refusal = await command("set", { action: "execute" }).then(
      () => "none",
      (error) => error.condition,
    );
    return;
  }
  await until(() => seen.presence !== undefined, "the agent's presence");
  await until(() => seen.readings.some((reading) => reading.thing === "meter"), "a reading");
  const latest = xml("pubsub", { xmlns: PUBSUB }, xml("items", { node: `${STREAM}#now` }));
  const now = await me.iqCaller.get(latest, device, LIMIT);
  seen.now = now.getChild("items").getChildren("item").map((item) => item.attrs.id);
  const listed = await me.iqCaller.get(xml("query", { xmlns: ITEMS, node: COMMANDS }), agent, LIMIT);
  seen.commands = listed.getChildren("item").map((item) => item.attrs.node);

  const form = await command("set", { action: "execute" });
  seen.form = { status: form.attrs.status, fields: Object.keys(fields(form)) };
  const done = await command(
    "set",
    { action: "complete", sessionid: form.attrs.sessionid },
    { target: "pump.state", value: "on" },
  );
  seen.result = { status: done.attrs.status, note: done.getChildText("note"), fields: fields(done) };

  await me.send(xml("message", { to: device, type: "chat", id: "v1" }, xml("body", {}, "pump off")));
  await until(() => seen.replies.length > 0, "an answer in chat");
  seen.unknown = await command("nonsense", { action: "execute" }).then(
    () => "none",
    (error) => error.condition,
  );
}

try {
  await visit();
  await me.stop();
  console.log(JSON.stringify(seen));
  process.exit(0);
} catch (error) {
  fail(error);
}
