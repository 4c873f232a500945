<?php
// What Nextcloud Talk's PHP does with a TURN server: `credential` (the secret on standard
// input) makes a guest's password, `certificate` asks for the days a certificate has left,
// with the options Talk connects with.
[, $task, $subject] = $argv;
if ($task === 'credential') {
  echo base64_encode(hash_hmac('sha1', $subject, stream_get_contents(STDIN), true)), "\n";
  exit(0);
}
$context = stream_context_create(['ssl' => [
  'capture_peer_cert' => true,
  'verify_peer' => false,
  'verify_peer_name' => false,
  'allow_self_signed' => true,
]]);
$stream = stream_socket_client(
    "ssl://$subject", $number, $reason, 30, STREAM_CLIENT_CONNECT, $context);
if ($stream === false) {
  fwrite(STDERR, "$reason\n");
  exit(1);
}
$certificate = stream_context_get_params($stream)['options']['ssl']['peer_certificate'];
echo openssl_x509_parse($certificate)['validTo_time_t'], "\n";
