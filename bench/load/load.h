// The load generator of the benchmark: one thread, raw epoll, nothing but the C library.
//
//   main.c    options, the phases of a run, what is printed
//   net.c     sockets, the upgrade, WebSocket frames in and out
//   relay.c   our protocol: challenge, hello, turn, commit, frames, acks (PROTOCOL 4 to 7)
//   plain.c   the baselines': a greeting, a message to all others, a one-byte ack
//   proof.c   base64url, SHA-512 and the second half of an Ed25519 signature
//   pump.c    what is posted and when; what must have come
//   meter.c   latencies, and what the server's processes have used
#ifndef LOAD_H
#define LOAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum state { FRESH, CONNECTING, UPGRADING, GREETING, TURN, READY, GONE };
enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { NONCE = 32, REFERENCE = 8, POST_HEAD = 17, FRAME_HEAD = 20, MARK = 20, MAX_SEALED = 4124 };

struct buffer {
  uint8_t *data;
  size_t size, cap;
};

struct member {
  int fd, room;
  enum state state;
  bool slow, polls_out;
  struct buffer in, out;
  uint64_t began, retry_at;      // when it began to connect; when it may commit again, 0 for never
  uint64_t posted, acked, got;   // its posts, the acks of them, the posts of others
  uint64_t sum_posted, sum_got;  // of the posts' numbers: what is lost and what comes twice shows
  uint64_t seq;                  // the last number of the life that it saw (relay)
};

struct room {
  uint8_t id[16], access[32], scalar[32];  // what its members need to say hello (relay)
  uint64_t fence;                          // as the furthest of its members knows it (relay)
  uint64_t posted, sum, delivered;
  int turn;       // who posts next
  bool has_news;  // something was delivered since it was last pumped
};

// What differs between the relay and the baselines.
struct protocol {
  const char *name, *path;
  size_t head;  // bytes before the sealed part of what a member gets
  void (*opened)(struct member *);
  void (*message)(struct member *, int opcode, const uint8_t *data, size_t size, uint64_t now);
};
extern const struct protocol relay_protocol, plain_protocol;

struct options {
  const struct protocol *protocol;
  int port, rooms, members, senders, slow, window, in_flight, sealed;
  bool hello_only;  // an answered hello is enough, nobody joins
  double rate;      // posts per second and room; 0: as fast as the window lets
  double warm, seconds, settle;
};

struct tally {
  uint64_t ready, gone, deliveries, acks, others, refused, wrong_room, out_of_order, late_ns;
};

extern struct options options;
extern struct tally tally;
extern struct member *members;
extern struct room *rooms;
extern bool is_measured;

uint64_t now_ns(void);
uint64_t random_bits(void);
void die(const char *why);

void net_start(void);
void net_connect(struct member *);
void net_send(struct member *, int opcode, const void *data, size_t size);
void net_deafen(struct member *, bool deaf);
void net_drop(struct member *, const char *why);
int net_poll(uint64_t patience_ns);

void became_ready(struct member *);
void relay_retries(uint64_t now);
void relay_keys(const char *file);
void proof_text(const struct room *, const char *host, const char nonce[43], char signature[87]);
void base64url(const uint8_t *data, size_t size, char *out);

void post_message(struct member *, uint64_t now);
void took_delivery(struct member *, const uint8_t *sealed, uint64_t now);
void pump_for(double seconds);
int64_t missing(void);
uint64_t damaged(void);

void latency_add(uint64_t ns);
double latency_ms(double share);
void latency_clear(void);
void watch_processes(char *pids);
double cpu_seconds(void);
double memory_kib(void);
double own_cpu_seconds(void);

#endif
