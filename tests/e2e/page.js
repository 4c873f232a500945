// One end of a call, driven from outside through `end`. Descriptions are handed over after
// gathering, so that the driver is the whole signalling server.
'use strict';

let connection;
let channel;
let camera;
let candidates;
let errors;

function until(what, deadline_ms, subscribe) {
  return new Promise((resolve, reject) => {
    const expiry = setTimeout(
        () => reject(new Error(`not within ${deadline_ms} ms: ${what()}`)), deadline_ms);
    subscribe((value) => {
      clearTimeout(expiry);
      resolve(value);
    }, (reason) => {
      clearTimeout(expiry);
      reject(new Error(reason));
    });
  });
}

function state() {
  const {iceGatheringState, iceConnectionState, connectionState} = connection;
  return JSON.stringify(
      {iceGatheringState, iceConnectionState, connectionState, candidates, errors});
}

function open(configuration) {
  candidates = [];
  errors = [];
  connection = new RTCPeerConnection(configuration);
  connection.onicecandidate = ({candidate}) => {
    if (candidate?.candidate) candidates.push(candidate.candidate);
  };
  connection.onicecandidateerror = ({errorCode, errorText, url}) => {
    errors.push({errorCode, errorText, url});
  };
  connection.ontrack = ({streams}) => {
    document.querySelector('#remote').srcObject = streams[0];
  };
}

async function add_camera() {
  camera ??= await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}});
  for (const track of camera.getTracks()) connection.addTrack(track, camera);
}

async function gather(description) {
  const gathered = until(() => `gathering complete, ${state()}`, 15000, (resolve) => {
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState === 'complete') resolve();
    };
  });
  await connection.setLocalDescription(description);
  await gathered;
  return connection.localDescription.toJSON();
}

function connected() {
  return until(() => `connected, ${state()}`, 20000, (resolve, reject) => {
    const check = () => {
      if (connection.connectionState === 'connected') resolve();
      if (connection.connectionState === 'failed') reject(`connection failed, ${state()}`);
    };
    connection.onconnectionstatechange = check;
    check();
  });
}

function total(reports, type, field) {
  return reports.filter((report) => report.type === type)
      .reduce((sum, report) => sum + (report[field] ?? 0), 0);
}

function selected(stats) {
  const reports = [...stats.values()];
  const transport = reports.find((report) => report.type === 'transport');
  // Firefox has no selectedCandidatePairId and marks the pair itself.
  return stats.get(transport?.selectedCandidatePairId) ??
      reports.find((report) => report.type === 'candidate-pair' && report.selected);
}

const end = {
  async offer(configuration) {
    open(configuration);
    await add_camera();
    channel = connection.createDataChannel('echo');
    return gather(await connection.createOffer());
  },

  async answer(configuration, offer) {
    open(configuration);
    connection.ondatachannel = (event) => {
      channel = event.channel;
      channel.onmessage = ({data}) => channel.send(data);
    };
    await connection.setRemoteDescription(offer);
    await add_camera();
    return gather(await connection.createAnswer());
  },

  async accept(answer) {
    await connection.setRemoteDescription(answer);
  },

  connected,

  // How many of `count` messages of `bytes` came back as they were sent.
  async echo(count, bytes) {
    if (channel.readyState !== 'open') {
      await until(() => `data channel open, ${state()}`, 10000, (resolve) => {
        channel.onopen = () => resolve();
      });
    }
    const sent = Array.from({length: count}, (_, i) => `${i}:`.padEnd(bytes, `${i % 10}`));
    let same = 0;
    const echoed = until(() => `${count} echoes, ${same} so far`, 10000, (resolve) => {
      let received = 0;
      channel.onmessage = ({data}) => {
        if (data === sent[received++]) ++same;
        if (received === count) resolve();
      };
    });
    for (const message of sent) channel.send(message);
    await echoed;
    return same;
  },

  // Resolves once more than `count` frames of the other end's picture were decoded.
  async frames(count) {
    let decoded = 0;
    let poll;
    const wanted = () => `${count} frames, ${decoded} so far, ${state()}`;
    const enough = until(wanted, 20000, (resolve) => {
      poll = setInterval(async () => {
        const reports = [...(await connection.getStats()).values()];
        decoded = total(reports, 'inbound-rtp', 'framesDecoded');
        if (decoded > count) resolve();
      }, 100);
    });
    await enough.finally(() => clearInterval(poll));
    return decoded;
  },

  async selected_pair() {
    const stats = await connection.getStats();
    const reports = [...stats.values()];
    const pair = selected(stats);
    const candidate = ({candidateType, relayProtocol, protocol, address, port, url}) =>
        ({candidateType, relayProtocol, protocol, address, port, url});
    return {
      local: candidate(stats.get(pair.localCandidateId)),
      remote: candidate(stats.get(pair.remoteCandidateId)),
      // Of every pair: which one is selected may change in the middle of a call.
      bytesSent: total(reports, 'candidate-pair', 'bytesSent'),
      bytesReceived: total(reports, 'candidate-pair', 'bytesReceived'),
      packetsLost: total(reports, 'inbound-rtp', 'packetsLost'),
    };
  },

  // The first relay candidate for a line of audio and a data channel, or none once
  // gathering is over or the time is up; then the connection is closed.
  async first_relay(configuration, deadline_ms) {
    const began = performance.now();
    const probe = new RTCPeerConnection(configuration);
    const candidate = await new Promise((resolve) => {
      setTimeout(resolve, deadline_ms);
      probe.onicecandidate = ({candidate: found}) => {
        if (found?.type === 'relay') resolve(found.candidate);
      };
      probe.onicegatheringstatechange = () => {
        if (probe.iceGatheringState === 'complete') resolve();
      };
      probe.createDataChannel('status');
      probe.createOffer({offerToReceiveAudio: true})
          .then((offer) => probe.setLocalDescription(offer));
    });
    probe.close();
    return {candidate, took_ms: performance.now() - began};
  },

  // `count` pairs of connections of this page, all open at the same time: once each has
  // carried a message, the types of their selected local candidates.
  async pairs(configuration, count) {
    const all = [];
    const one = async () => {
      const [near, far] = [0, 1].map(() => new RTCPeerConnection(configuration));
      all.push(near, far);
      near.onicecandidate = ({candidate}) => { if (candidate) far.addIceCandidate(candidate); };
      far.onicecandidate = ({candidate}) => { if (candidate) near.addIceCandidate(candidate); };
      const sender = near.createDataChannel('note');
      const arrived = until(() => `a message, ${near.connectionState}`, 60000, (resolve) => {
        far.ondatachannel = ({channel: receiver}) => { receiver.onmessage = () => resolve(); };
        sender.onopen = () => sender.send('note');
      });
      await near.setLocalDescription(await near.createOffer());
      await far.setRemoteDescription(near.localDescription);
      await far.setLocalDescription(await far.createAnswer());
      await near.setRemoteDescription(far.localDescription);
      await arrived;
      const stats = await near.getStats();
      return stats.get(selected(stats).localCandidateId).candidateType;
    };
    try {
      return await Promise.all(Array.from({length: count}, one));
    } finally {
      for (const made of all) made.close();
    }
  },

  // What gathering alone yields.
  async candidates(configuration) {
    open(configuration);
    connection.createDataChannel('unused');
    await gather(await connection.createOffer());
    return {candidates, errors};
  },

  close() {
    connection?.close();
    document.querySelector('#remote').srcObject = null;
  },
};
