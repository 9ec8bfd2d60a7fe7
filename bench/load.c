// The pump of bench/fanout.py: many open WebSockets in, deliveries counted. One thread, epoll.
//
// The driver has opened and joined every connection and hands them over as inherited descriptors
// FIRST .. FIRST+N-1. Each post is written as a masked frame by the next sender in turn; at most
// WINDOW posts are under way, so the rate found is one at which nothing is lost. A delivery is
// any binary message whose first byte is FRAME (or ACK at the sender: its own, in the frame's
// place); everything else is counted apart.
//
//   load FIRST N WINDOW SECONDS PAYLOAD_FILE     prints: deliveries seconds others own_cpu_seconds
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, REFERENCE_AT = 1 };

struct conn {
  int fd;
  size_t held;
  unsigned char *data;
};

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *why) {
  perror(why);
  exit(1);
}

static uint64_t deliveries, others, posted, reference;
static unsigned char payload[1 << 16], frame[(1 << 16) + 16];
static size_t payload_size;

static void send_all(int fd, const unsigned char *data, size_t size) {
  while (size) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      usleep(50);
      continue;
    }
    if (n < 0) die("send");
    data += n;
    size -= (size_t)n;
  }
}

static void post(int fd) {
  size_t at = 0;
  reference++;
  memcpy(payload + REFERENCE_AT, &reference, sizeof reference);
  frame[at++] = 0x82;
  if (payload_size < 126) {
    frame[at++] = (unsigned char)(0x80 | payload_size);
  } else {
    frame[at++] = 0x80 | 126;
    frame[at++] = (unsigned char)(payload_size >> 8);
    frame[at++] = (unsigned char)payload_size;
  }
  uint32_t key = (uint32_t)(reference * 2654435761u) | 1;
  unsigned char mask[4];
  memcpy(mask, &key, 4);
  memcpy(frame + at, mask, 4);
  at += 4;
  for (size_t i = 0; i < payload_size; i++) frame[at + i] = payload[i] ^ mask[i & 3];
  send_all(fd, frame, at + payload_size);
  posted++;
}

static void receive(struct conn *c) {
  ssize_t n = recv(c->fd, c->data + c->held, BUFFER - c->held, MSG_DONTWAIT);
  if (n == 0) {
    errno = ECONNRESET;
    die("a connection ended");
  }
  if (n < 0) {
    if (errno == EAGAIN) return;
    die("recv");
  }
  c->held += (size_t)n;
  size_t at = 0;
  while (c->held - at >= 2) {
    unsigned char *p = c->data + at;
    size_t size = p[1] & 127, head = 2;
    if (size == 126) {
      if (c->held - at < 4) break;
      size = (size_t)p[2] << 8 | p[3];
      head = 4;
    } else if (size == 127) {
      die("a frame too long");
    }
    if (c->held - at < head + size) break;
    // An application frame, the ack in its place, or the post itself where a server echoes it.
    const unsigned char *m = p + head;
    if ((p[0] & 15) == 2 && size > 1 && ((m[0] == 0x11 && m[1] == 1) || m[0] == 0x13 || m[0] == 1))
      deliveries++;
    else
      others++;
    at += head + size;
  }
  memmove(c->data, c->data + at, c->held - at);
  c->held -= at;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int first = atoi(argv[1]), count = atoi(argv[2]);
  uint64_t window = (uint64_t)atoi(argv[3]), span = (uint64_t)(atof(argv[4]) * 1e9);
  FILE *file = fopen(argv[5], "rb");
  if (!file) die("payload");
  payload_size = fread(payload, 1, sizeof payload, file);
  fclose(file);
  reference = now_ns();
  struct conn *conns = calloc((size_t)count, sizeof *conns);
  int ep = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    conns[i].fd = first + i;
    conns[i].data = malloc(BUFFER);
    fcntl(conns[i].fd, F_SETFL, fcntl(conns[i].fd, F_GETFL) | O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &conns[i]};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &event)) die("epoll");
  }
  struct epoll_event events[1024];
  uint64_t began = now_ns(), until = began + span;
  int next = 0;
  while (now_ns() < until) {
    while (posted - deliveries / (uint64_t)count < window) {
      post(conns[next].fd);
      next = (next + 1) % count;
    }
    int n = epoll_wait(ep, events, 1024, 100);
    for (int i = 0; i < n; i++) receive(events[i].data.ptr);
  }
  double seconds = (double)(now_ns() - began) / 1e9;
  uint64_t counted = deliveries;
  uint64_t patience = now_ns() + 10000000000u;
  while (deliveries < posted * (uint64_t)count && now_ns() < patience) {
    int n = epoll_wait(ep, events, 1024, 100);
    for (int i = 0; i < n; i++) receive(events[i].data.ptr);
  }
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6 +
               (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / 1e6;
  uint64_t lost = posted * (uint64_t)count - deliveries;
  printf("%llu %.6f %llu %llu %.3f\n", (unsigned long long)counted, seconds,
         (unsigned long long)others, (unsigned long long)lost, cpu);
  return 0;
}
