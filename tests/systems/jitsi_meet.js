// A participant of a Jitsi conference, driven through page.js's `end`.
'use strict';

const {events} = JitsiMeetJS;
let jitsi;
let conference;

JitsiMeetJS.setLogLevel(JitsiMeetJS.logLevels.WARN);
JitsiMeetJS.init({disableAudioLevels: true, disableThirdPartyRequests: true});

function sign_in(domain, serviceUrl) {
  // No server comes from here: Prosody lists them (XEP-0215).
  jitsi = new JitsiMeetJS.JitsiConnection(null, null, {
    hosts: {domain, muc: `conference.${domain}`}, serviceUrl, p2p: {enabled: true, stunServers: []},
  });
  return until(() => 'signed in', 30000, (resolve, reject) => {
    jitsi.addEventListener(events.connection.CONNECTION_ESTABLISHED, () => resolve());
    jitsi.addEventListener(events.connection.CONNECTION_FAILED, (...why) => reject(`${why}`));
    jitsi.connect();
  });
}

// Resolves once the other participant's picture comes peer-to-peer.
end.meet = async (domain, service_url, room) => {
  await sign_in(domain, service_url);
  const [camera_track] = await JitsiMeetJS.createLocalTracks({devices: ['video']});
  // A conference of two needs no bridge, so there is nobody to allocate one.
  conference = jitsi.initJitsiConference(room, {
    disableFocus: true, openBridgeChannel: false, p2p: {enabled: true, stunServers: []},
  });
  conference.on(events.conference.TRACK_ADDED, (track) => {
    if (!track.isLocal()) track.attach(document.querySelector('#remote'));
  });
  await conference.addTrack(camera_track);
  await until(() => `peer-to-peer, ${conference.getParticipants().length} others`, 60000,
              (resolve, reject) => {
    conference.on(events.conference.P2P_STATUS, (_, active) => { if (active) resolve(); });
    conference.on(events.conference.CONFERENCE_FAILED, (...why) => reject(`${why}`));
    conference.join();
  });
  connection = conference.p2pJingleSession.peerconnection.peerconnection;
};

end.leave = async () => {
  await conference?.leave();
  await jitsi?.disconnect();
};
