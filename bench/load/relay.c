// Our protocol, as far as a relay can see it: what is sealed is noise of the right length
// (PROTOCOL).
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum { POST = 1, COMMIT = 2, FRAME = 0x11, INFO = 0x12, ACK = 0x13, SEAL = 28, PAD = 1024 };
static const char CHALLENGE[] = "{\"type\":\"challenge\",\"v\":1,\"nonce\":\"";

static uint64_t number(const uint8_t *data) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | data[i];
  return value;
}

static void put_number(uint8_t *out, uint64_t value, int size) {
  while (size--) {
    out[size] = (uint8_t)value;
    value >>= 8;
  }
}

// The value behind a key of a JSON text, 0 where there is none or null.
static uint64_t field(const char *text, const char *key) {
  const char *at = strstr(text, key);
  return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static bool starts(const char *text, const char *with) {
  return !strncmp(text, with, strlen(with));
}

static void opened(struct member *m) { (void)m; }

static void say_hello(struct member *m, const char *nonce) {
  const struct room *room = &rooms[m->room];
  char host[32], id[23], access[44], signature[87], text[512];
  snprintf(host, sizeof host, "127.0.0.1:%d", options.port);
  base64url(room->id, 16, id);
  base64url(room->access, 32, access);
  proof_text(room, host, nonce, signature);
  int size = snprintf(
      text, sizeof text,
      "{\"type\":\"hello\",\"v\":1,\"room\":\"%s\",\"access\":\"%s\",\"signature\":\"%s\"}", id,
      access, signature);
  net_send(m, TEXT, text, (size_t)size);
}

static size_t padded(size_t size) { return SEAL + (size + 4 + PAD - 1) / PAD * PAD; }

// Lengths are those that bench.mls finds for a group whose members joined one by one.
static void commit(struct member *m) {
  static uint8_t message[1 << 17];
  uint64_t fence = rooms[m->room].fence;
  size_t leaves = fence + 1;
  size_t sealed = padded(460 + 100 * (size_t)ceil(log2((double)leaves + 1)));
  size_t group_info = padded(180 + 260 * leaves);
  uint64_t reference = random_bits();
  message[0] = COMMIT;
  memcpy(message + 1, &reference, REFERENCE);
  put_number(message + 9, fence, 8);
  put_number(message + 17, sealed, 4);
  net_send(m, BINARY, message, 21 + sealed + group_info);
}

// Whoever was told to wait tries again.
void relay_retries(uint64_t now) {
  static uint64_t next;
  if (now < next) return;
  next = now + 5000000;
  for (struct member *m = members; m < members + options.rooms * options.members; m++)
    if (m->state == TURN && m->retry_at && m->retry_at <= now) {
      m->retry_at = 0;
      commit(m);
    }
}

static void refused(struct member *m, const char *text) {
  static int complaints;
  if (m->state != TURN) {
    tally.refused++;
    if (complaints++ < 5) fprintf(stderr, "%s\n", text);
  } else if (strstr(text, "\"pace\"")) {
    m->retry_at = now_ns() + field(text, "\"retry_after_ms\":") * 1000000u + 1;
  }  // stale: a new info comes
}

// The number of what comes next in the log must be the next one (PROTOCOL 6).
static void in_order(struct member *m, uint64_t seq) {
  if (m->state == READY && seq != m->seq + 1) tally.out_of_order++;
  m->seq = seq;
}

static void take_text(struct member *m, const char *text) {
  if (m->state == GREETING && starts(text, CHALLENGE)) {
    say_hello(m, text + sizeof CHALLENGE - 1);
  } else if (m->state == GREETING && starts(text, "{\"type\":\"welcome\"")) {
    m->state = TURN;
    if (options.hello_only) became_ready(m);
  } else if (starts(text, "{\"type\":\"joined\"") && strstr(text, "\"ticket\"")) {
    m->seq = field(text, "\"seq\":");
    became_ready(m);
  } else if (starts(text, "{\"type\":\"joined\"") || starts(text, "{\"type\":\"away\"") ||
             starts(text, "{\"type\":\"left\"") || starts(text, "{\"type\":\"back\"")) {
    in_order(m, field(text, "\"seq\":"));
  } else if (starts(text, "{\"type\":\"refused\"")) {
    refused(m, text);
  } else if (!starts(text, "{\"type\":\"mark\"")) {
    tally.others++;
  }
}

static void message(struct member *m, int opcode, const uint8_t *data, size_t size, uint64_t now) {
  struct room *room = &rooms[m->room];
  if (opcode == TEXT) {
    char text[4097];
    memcpy(text, data, size);
    text[size] = 0;
    take_text(m, text);
  } else if (data[0] == FRAME && data[1] == POST && size == FRAME_HEAD + (size_t)options.sealed) {
    in_order(m, number(data + 4));
    took_delivery(m, data + FRAME_HEAD, now);
  } else if (data[0] == FRAME) {
    in_order(m, number(data + 4));
    uint64_t reached = number(data + 12) + 1;
    if (room->fence < reached) room->fence = reached;
  } else if (data[0] == ACK && m->state == READY) {
    in_order(m, number(data + 1 + REFERENCE));
    m->acked++;
    tally.acks++;
  } else if (data[0] == INFO && m->state == TURN && !options.hello_only) {
    if (room->fence < number(data + 1)) room->fence = number(data + 1);
    m->retry_at = 0;
    commit(m);
  }
}

const struct protocol relay_protocol = {"relay", "/v1/connect", FRAME_HEAD, opened, message};
