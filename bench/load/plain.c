// What the baselines speak: one byte is a greeting, answered by one byte; anything else goes to all
// others in the room, and one byte comes back to its sender. Messages have the form of our posts.
#include "load.h"

static void opened(struct member *m) { net_send(m, BINARY, "", 1); }

static void message(struct member *m, int opcode, const uint8_t *data, size_t size, uint64_t now) {
  (void)opcode;
  if (size == 1 && m->state == GREETING) {
    became_ready(m);
  } else if (size == 1) {
    m->acked++;
    tally.acks++;
  } else if (size == POST_HEAD + (size_t)options.sealed) {
    took_delivery(m, data + POST_HEAD, now);
  } else {
    tally.others++;
  }
}

const struct protocol plain_protocol = {"plain", "/room/%d", POST_HEAD, opened, message};
