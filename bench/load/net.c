// Sockets, the upgrade, and WebSocket frames; nothing of what they carry.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { BATCH = 1024, READ = 1 << 20, SLOW_BUFFER = 4096, COMPLAINTS = 5 };

static int poller;
static uint8_t incoming[READ];

static void reserve(struct buffer *b, size_t size) {
  if (b->size + size <= b->cap) return;
  b->cap = (b->size + size) * 2;
  b->data = realloc(b->data, b->cap);
  if (!b->data) die("realloc");
}

static void keep(struct buffer *b, const uint8_t *data, size_t size) {
  reserve(b, size);
  memcpy(b->data + b->size, data, size);
  b->size += size;
}

static void watch(struct member *m, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = m};
  if (epoll_ctl(poller, operation, m->fd, &event)) die("epoll_ctl");
}

void net_start(void) { poller = epoll_create1(0); }

void net_drop(struct member *m, const char *why) {
  if (m->state == GONE) return;
  if (!m->slow && tally.gone < COMPLAINTS) fprintf(stderr, "connection lost: %s\n", why);
  if (m->state == READY) tally.ready--;
  tally.gone++;
  m->state = GONE;
  close(m->fd);
}

// Every member has an address of its own, as it would anywhere but on one machine: the relay's
// limits per source need not be touched.
static void own_address(struct member *m) {
  uint32_t number = (uint32_t)(m - members) + 1;
  int one = 1;
  struct sockaddr_in from = {
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(0x7f010000u + (number / 250 << 8) + number % 250 + 1)};
  setsockopt(m->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(m->fd, (struct sockaddr *)&from, sizeof from)) die("bind");
}

void net_connect(struct member *m) {
  int one = 1, small = SLOW_BUFFER;
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)options.port),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  m->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (m->fd < 0) die("socket");
  setsockopt(m->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (m->slow) setsockopt(m->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  own_address(m);
  m->state = CONNECTING;
  m->began = now_ns();
  if (connect(m->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) die("connect");
  m->polls_out = true;
  watch(m, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

void net_deafen(struct member *m, bool deaf) {
  if (m->state != GONE) watch(m, EPOLL_CTL_MOD, deaf ? 0 : EPOLLIN);
}

static void poll_out(struct member *m, bool wanted) {
  if (m->polls_out == wanted || m->state == GONE) return;
  m->polls_out = wanted;
  watch(m, EPOLL_CTL_MOD, EPOLLIN | (wanted ? EPOLLOUT : 0u));
}

static void put(struct member *m, const uint8_t *data, size_t size) {
  if (m->state == GONE) return;
  ssize_t sent = m->out.size ? 0 : send(m->fd, data, size, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) {
      net_drop(m, "send");
      return;
    }
    sent = 0;
  }
  if ((size_t)sent < size) keep(&m->out, data + sent, size - (size_t)sent);
  poll_out(m, m->out.size > 0);
}

static void flush(struct member *m) {
  struct buffer waiting = m->out;
  m->out = (struct buffer){0};
  put(m, waiting.data, waiting.size);
  free(waiting.data);
}

void net_send(struct member *m, int opcode, const void *data, size_t size) {
  static uint8_t frame[1 << 18];
  size_t at = 0;
  frame[at++] = (uint8_t)(0x80 | opcode);
  if (size < 126) {
    frame[at++] = (uint8_t)(0x80 | size);
  } else {
    frame[at++] = 0x80 | (size < 65536 ? 126 : 127);
    for (int shift = size < 65536 ? 8 : 56; shift >= 0; shift -= 8)
      frame[at++] = (uint8_t)((uint64_t)size >> shift);
  }
  uint32_t mask = (uint32_t)random_bits();
  const uint8_t *key = memcpy(frame + at, &mask, 4), *from = data;
  at += 4;
  for (size_t i = 0; i < size; i++) frame[at + i] = from[i] ^ key[i & 3];
  put(m, frame, at + size);
}

static void upgrade(struct member *m) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(m->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) {
    net_drop(m, strerror(error));
    return;
  }
  char path[64], head[512];
  snprintf(path, sizeof path, options.protocol->path, m->room);
  int size = snprintf(
      head, sizeof head,
      "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
      path, options.port);
  m->state = UPGRADING;
  put(m, (uint8_t *)head, (size_t)size);
  poll_out(m, m->out.size > 0);
}

static void take_frame(struct member *m, uint8_t first, const uint8_t *data, size_t size,
                       uint64_t now) {
  int opcode = first & 15;
  if (opcode == PING) {
    net_send(m, PONG, data, size);
  } else if (opcode == CLOSE) {
    char why[32];
    snprintf(why, sizeof why, "close %d", size < 2 ? 1005 : data[0] << 8 | data[1]);
    net_drop(m, why);
  } else if (opcode != PONG) {
    options.protocol->message(m, opcode, data, size, now);
  }
}

// Take whole frames out of what has come; return how many bytes they had.
static size_t take_frames(struct member *m, const uint8_t *data, size_t size, uint64_t now) {
  size_t at = 0;
  while (m->state != GONE && size - at >= 2) {
    const uint8_t *p = data + at;
    size_t length = p[1] & 127, head = 2;
    if (length >= 126) {
      size_t extra = length == 126 ? 2 : 8;
      if (size - at < 2 + extra) break;
      length = 0;
      for (size_t i = 0; i < extra; i++) length = length << 8 | p[2 + i];
      head += extra;
    }
    if (size - at < head + length) break;
    take_frame(m, p[0], p + head, length, now);
    at += head + length;
  }
  return at;
}

static void receive(struct member *m) {
  size_t held = m->in.size;
  memcpy(incoming, m->in.data ? m->in.data : incoming, held);
  ssize_t got = recv(m->fd, incoming + held, READ - held, 0);
  if (got <= 0) {
    if (!got || errno != EAGAIN) net_drop(m, got ? strerror(errno) : "end of stream");
    return;
  }
  size_t size = held + (size_t)got, at = 0;
  if (m->state == UPGRADING) {
    uint8_t *end = memmem(incoming, size, "\r\n\r\n", 4);
    if (end && memcmp(incoming, "HTTP/1.1 101", 12)) {
      net_drop(m, "no upgrade");
      return;
    }
    if (end) {
      at = (size_t)(end - incoming) + 4;
      m->state = GREETING;
      options.protocol->opened(m);
    }
  }
  if (m->state != UPGRADING) at += take_frames(m, incoming + at, size - at, now_ns());
  m->in.size = 0;
  if (m->state != GONE && at < size) keep(&m->in, incoming + at, size - at);
}

int net_poll(uint64_t patience_ns) {
  static struct epoll_event events[BATCH];
  struct timespec patience = {(time_t)(patience_ns / 1000000000u),
                              (long)(patience_ns % 1000000000u)};
  int count = epoll_pwait2(poller, events, BATCH, &patience, NULL);
  for (int i = 0; i < count; i++) {
    struct member *m = events[i].data.ptr;
    if (m->state == GONE) continue;
    if (m->state == CONNECTING) {
      upgrade(m);
      continue;
    }
    if (events[i].events & EPOLLOUT) flush(m);
    if (m->state != GONE && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(m);
  }
  return count;
}
