// Preloaded into Zigbee2MQTT (node --require): a radio in memory where there would be a serial adapter.
//
// JIDGET_RADIO is JSON: `port`, where on loopback it is talked to, and `attributes`, what the devices know at first, by
// "ADDRESS/ENDPOINT/CLUSTER/ATTRIBUTE". Each line that comes is a JSON array, a request and its arguments; it is
// answered with a line: `{"done": …}` or `{"failed": "why"}`.
"use strict";

const net = require("node:net");
const path = require("node:path");
const readline = require("node:readline");

const LOOPBACK = "127.0.0.1";
const { port, attributes } = JSON.parse(process.env.JIDGET_RADIO);
const herdsman = path.dirname(
  require.resolve("zigbee-herdsman/package.json", { paths: [path.dirname(process.argv[1])] }),
);
const { Adapter } = require(path.join(herdsman, "dist/adapter/adapter.js"));
const Zcl = require(path.join(herdsman, "dist/zspec/zcl"));

// ---- nothing but this machine can be reached ---------------------------------------------------------------------

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...given) {
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const host = typeof first === "object" ? first.host : second;
  if (host !== LOOPBACK) throw new Error(`the test does not let it reach ${host}`);
  return connect.apply(this, given);
};

// ---- what devices are and do -------------------------------------------------------------------------------------

const known = new Map(Object.entries(attributes));
const silent = new Set();
const sent = [];
let radio;
let number = 0;

const keyOf = (address, endpoint, cluster, name) => `${address}/${endpoint}/${cluster}/${name}`;

// What a device does on a command: the attributes it has afterwards. Anything else is acknowledged only.
const ACTS = {
  genOnOff: {
    on: () => ({ onOff: 1 }),
    off: () => ({ onOff: 0 }),
    toggle: (_, get) => ({ onOff: get("onOff") ? 0 : 1 }),
  },
  genLevelCtrl: {
    moveToLevel: ({ level }) => ({ currentLevel: level }),
    moveToLevelWithOnOff: ({ level }) => ({ currentLevel: level }),
  },
  lightingColorCtrl: {
    moveToColorTemp: ({ colortemp }) => ({ colorTemperature: colortemp, colorMode: 2 }),
    moveToColor: ({ colorx, colory }) => ({ currentX: colorx, currentY: colory, colorMode: 1 }),
  },
  closuresWindowCovering: {
    upOpen: () => ({ currentPositionLiftPercentage: 0 }),
    downClose: () => ({ currentPositionLiftPercentage: 100 }),
    goToLiftPercentage: ({ percentageliftvalue }) => ({ currentPositionLiftPercentage: percentageliftvalue }),
    goToTiltPercentage: ({ percentagetiltvalue }) => ({ currentPositionTiltPercentage: percentagetiltvalue }),
  },
  closuresDoorLock: {
    lockDoor: () => ({ lockState: 1 }),
    unlockDoor: () => ({ lockState: 2 }),
  },
};
// Clusters whose devices tell by themselves what has become of a command.
const TELLS = new Set(["closuresWindowCovering", "closuresDoorLock"]);

class Radio extends Adapter {
  constructor(...options) {
    super(...options);
    this.hasZdoMessageOverhead = false;
    radio = this;
  }

  async start() {
    return "resumed";
  }
  async stop() {}
  async reset() {}
  async getCoordinatorIEEE() {
    return "0x00124b0000000001";
  }
  async getCoordinatorVersion() {
    return { type: "none", meta: { revision: 1 } };
  }
  async supportsBackup() {
    return false;
  }
  async getNetworkParameters() {
    const { panID, channelList } = this.networkOptions;
    return { panID, extendedPanID: "0xdddddddddddddddd", channel: channelList[0], nwkUpdateID: 0 };
  }
  async permitJoin() {}
  async addInstallCode() {}
  async sendZclFrameToGroup() {}
  async sendZclFrameToAll() {}
  waitFor() {
    const promise = new Promise(() => {});
    return { promise, cancel: () => {} };
  }
  async sendZdo(_ieee, _address, _cluster, _payload, disableResponse) {
    return disableResponse ? undefined : [0, {}];
  }

  async sendZclFrameToEndpoint(_ieee, address, endpoint, frame, _timeout, disableResponse) {
    const { cluster, command, payload, header } = frame;
    sent.push({ address, endpoint, cluster: cluster.name, command: command.name, payload });
    if (silent.has(address)) throw new Error("the device does not answer");
    const general = header.frameControl.frameType === Zcl.FrameType.GLOBAL;
    const [type, name, answer] = general
      ? [Zcl.FrameType.GLOBAL, ...this.general(address, endpoint, frame)]
      : this.specific(address, endpoint, frame);
    if (disableResponse) return undefined;
    const { transactionSequenceNumber: same, manufacturerCode } = header;
    const direction = Zcl.Direction.SERVER_TO_CLIENT;
    const reply = Zcl.Frame.create(type, direction, true, manufacturerCode, same, name, cluster, answer, {});
    const answered = packed(address, endpoint, reply);
    setImmediate(() => this.emit("zclPayload", answered)); // a real one passes on all that it hears, answers too
    return answered;
  }

  general(address, endpoint, { cluster, command, payload }) {
    const named = (id) => Object.values(cluster.attributes).find((each) => each.ID === id);
    switch (command.name) {
      case "read":
        return ["readRsp", payload.map(({ attrId }) => read(address, endpoint, cluster, named(attrId), attrId))];
      case "write":
        for (const { attrId, attrData } of payload) {
          const attribute = named(attrId);
          if (attribute) known.set(keyOf(address, endpoint, cluster.name, attribute.name), attrData);
        }
        return ["writeRsp", [{ status: Zcl.Status.SUCCESS }]];
      case "configReport":
        return ["configReportRsp", [{ status: Zcl.Status.SUCCESS }]];
      default:
        return ["defaultRsp", { cmdId: command.ID, statusCode: Zcl.Status.SUCCESS }];
    }
  }

  specific(address, endpoint, { cluster, command, payload }) {
    const get = (name) => known.get(keyOf(address, endpoint, cluster.name, name));
    const after = ACTS[cluster.name]?.[command.name]?.(payload, get);
    for (const [name, value] of Object.entries(after ?? {})) {
      known.set(keyOf(address, endpoint, cluster.name, name), value);
    }
    if (after && TELLS.has(cluster.name)) setImmediate(report, address, endpoint, cluster.name, after);
    if (command.response !== undefined) return [Zcl.FrameType.SPECIFIC, command.response, { status: 0 }];
    return [Zcl.FrameType.GLOBAL, "defaultRsp", { cmdId: command.ID, statusCode: Zcl.Status.SUCCESS }];
  }
}

Adapter.create = async (...options) => new Radio(...options);

function read(address, endpoint, cluster, attribute, attrId) {
  const value = attribute && known.get(keyOf(address, endpoint, cluster.name, attribute.name));
  if (value === undefined) return { attrId, status: Zcl.Status.UNSUPPORTED_ATTRIBUTE };
  return { attrId, status: Zcl.Status.SUCCESS, dataType: attribute.type, attrData: value };
}

// A frame from a device, as an adapter hands it over: bytes, which Zigbee2MQTT parses itself.
function packed(address, endpoint, frame) {
  const data = frame.toBuffer();
  return {
    clusterID: frame.cluster.ID,
    address,
    header: Zcl.Header.fromBuffer(data),
    data,
    endpoint,
    linkquality: 120,
    groupID: 0,
    wasBroadcast: false,
    destinationEndpoint: 1,
  };
}

function tell(address, endpoint, type, direction, name, cluster, payload) {
  number = (number + 1) % 256;
  const frame = Zcl.Frame.create(type, direction, true, undefined, number, name, cluster, payload, {});
  radio.emit("zclPayload", packed(address, endpoint, frame));
}

// ---- what the test asks for --------------------------------------------------------------------------------------

function report(address, endpoint, clusterName, values) {
  const cluster = Zcl.Utils.getCluster(clusterName);
  const payload = Object.entries(values).map(([name, value]) => {
    const { ID, type } = Zcl.Utils.getClusterAttribute(cluster, name);
    known.set(keyOf(address, endpoint, clusterName, name), value);
    return { attrId: ID, dataType: type, attrData: value };
  });
  tell(address, endpoint, Zcl.FrameType.GLOBAL, Zcl.Direction.SERVER_TO_CLIENT, "report", cluster, payload);
}

const REQUESTS = {
  report,
  command(address, endpoint, clusterName, name, payload) {
    const cluster = Zcl.Utils.getCluster(clusterName);
    const direction =
      name in cluster.commandsResponse ? Zcl.Direction.SERVER_TO_CLIENT : Zcl.Direction.CLIENT_TO_SERVER;
    tell(address, endpoint, Zcl.FrameType.SPECIFIC, direction, name, cluster, payload);
  },
  silence(address, whether) {
    if (whether) silent.add(address);
    else silent.delete(address);
  },
  sent: () => sent,
};

net
  .createServer((socket) => {
    socket.on("error", () => {});
    readline.createInterface({ input: socket }).on("line", (line) => {
      let answer;
      try {
        const [request, ...given] = JSON.parse(line);
        answer = { done: REQUESTS[request](...given) ?? null };
      } catch (error) {
        answer = { failed: String(error.message) };
      }
      socket.write(`${JSON.stringify(answer)}\n`);
    });
  })
  .listen(port, LOOPBACK)
  .unref();
