#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/file_descriptor.hpp"
#include "server/poller.hpp"
#include "server/stream_buffers.hpp"
#include "server/tls_session.hpp"

namespace yuelao::server {

// A TCP socket that does not block, and the TLS over it if there is any: reads what has come at
// once, writes what the kernel takes at once, keeps the rest and writes it when the kernel takes
// more. It holds memory only for what is unwritten; how much may be is its owner's business.
class StreamEnd {
 public:
  // What read() may bring, with what OpenSSL held of a record before.
  static constexpr std::size_t room_bytes = 2 * StreamBuffers::wire_bytes;

  struct Parts {
    FileDescriptor socket;
    std::unique_ptr<TlsSession> tls;   // null: bare TCP
    std::vector<std::byte> unwritten;  // for the wire, before all else
  };
  // Poller and buffers outlive this. `ref` is what the poller says that the socket is.
  StreamEnd(Parts parts, turn::SocketRef ref, Poller& poller, StreamBuffers& buffers);
  StreamEnd(const StreamEnd&) = delete;
  StreamEnd& operator=(const StreamEnd&) = delete;
  ~StreamEnd();

  // Puts a socket that no poller knows into it. Errors: epoll's.
  std::error_code watch();
  // Whether the poller tells of what comes. False: epoll refuses the socket.
  bool read_while(bool wanted);
  bool reading() const { return reading_; }

  enum class End : std::uint8_t { closed, broken };
  struct Came {
    std::size_t size = 0;
    std::optional<End> end{};  // behind what came
  };
  // One read, decrypted, into `to` of room_bytes.
  Came read(MutableBytes to);

  // Octets that wait to be written, as the owner gave them or encrypted.
  std::size_t waiting() const { return queue_.size() + unwritten().size(); }
  // Whether some of it has waited since flush() was called last.
  bool lags() const { return !unwritten().empty(); }
  // To append to; flush() writes it.
  std::vector<std::byte>& queue();
  // These write what the kernel takes now, the rest when it takes more. False: it has gone.
  bool flush();
  // For when nothing waits: without a copy of what the kernel takes.
  bool send(Bytes plain);
  // Says goodbye once all is written.
  bool end_writing();
  // Closing tells the other side that the stream was cut off, and not that this is all of it.
  void cut_off();

  // Gives all of it away; this one is of no use any more, and the poller knows nothing of it.
  Parts depart();

 private:
  Came read_wire(MutableBytes to) const;
  Came decrypt(MutableBytes to);
  Bytes unwritten() const { return Bytes{writing_}.subspan(written_); }
  bool stage();
  bool write_out();
  void note_waiting();
  bool watch_for_what_is_wanted();
  void say_goodbye();

  Poller& poller_;
  StreamBuffers& buffers_;
  FileDescriptor socket_;
  std::unique_ptr<TlsSession> tls_;
  turn::SocketRef ref_;
  std::vector<std::byte> queue_;    // as the owner gave it
  std::vector<std::byte> writing_;  // octets for the wire, from written_ on
  std::size_t written_ = 0;
  std::size_t noted_ = 0;  // of what waits, in `buffers_`
  Poller::Interest interest_ = Poller::Interest::none;
  bool reading_ = false;
  bool ending_ = false;
  bool said_goodbye_ = false;
};

}  // namespace yuelao::server
