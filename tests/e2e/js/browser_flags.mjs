// What Chromium is told at its start.

export const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  // A camera and a microphone of its own, and nobody to ask for them.
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  // Two pages on one machine: addresses as they are, loopback included.
  "--allow-loopback-in-peer-connection",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];
