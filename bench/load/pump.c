// What is posted and when, and what must have come of it.
//
// Closed loop: a room has at most WINDOW posts under way that have not reached everybody, so that
// the rate found is one at which nothing is lost. Open loop: posts at random moments, RATE a second
// and room, whatever the server does. All senders of a room take turns.
#include <math.h>
#include <string.h>

#include "load.h"

static uint8_t post[POST_HEAD + MAX_SEALED];

static uint64_t readers(int room) {
  return (uint64_t)(options.members - 1 - (room ? 0 : options.slow));
}

// The sealed part begins with the moment, the number and the room, and is noise after that.
void post_message(struct member *m, uint64_t now) {
  struct room *room = &rooms[m->room];
  uint8_t *sealed = post + POST_HEAD;
  if (!post[0])
    for (size_t i = 0; i < sizeof post; i++) post[i] = (uint8_t)random_bits();
  uint64_t reference = random_bits(), count = ++room->posted;
  uint32_t place = (uint32_t)m->room;
  post[0] = 1;
  memcpy(post + 1, &reference, REFERENCE);
  for (int i = 0; i < 8; i++) post[9 + i] = (uint8_t)(room->fence >> (56 - 8 * i));
  memcpy(sealed, &now, 8);
  memcpy(sealed + 8, &count, 8);
  memcpy(sealed + 16, &place, 4);
  m->posted++;
  m->sum_posted += count;
  room->sum += count;
  net_send(m, BINARY, post, POST_HEAD + (size_t)options.sealed);
}

void took_delivery(struct member *m, const uint8_t *sealed, uint64_t now) {
  uint64_t sent, count;
  uint32_t place;
  memcpy(&sent, sealed, 8);
  memcpy(&count, sealed + 8, 8);
  memcpy(&place, sealed + 16, 4);
  if ((int)place != m->room) tally.wrong_room++;
  m->got++;
  m->sum_got += count;
  if (m->slow) return;
  struct room *room = &rooms[m->room];
  room->delivered++;
  room->has_news = true;
  tally.deliveries++;
  if (is_measured) latency_add(now - sent);
}

static struct member *next_sender(int room) {
  int at = rooms[room].turn++ % options.senders;
  return &members[at * options.rooms + room];
}

static void fill(int room) {
  struct room *r = &rooms[room];
  uint64_t everybody = readers(room), window = (uint64_t)options.window;
  r->has_news = false;
  while (r->posted * everybody < r->delivered + window * everybody)
    post_message(next_sender(room), now_ns());
}

static uint64_t waiting_time(void) {
  double share = ((double)(random_bits() >> 11) + 1) / 9007199254740993.0;
  return (uint64_t)(-log(share) / (options.rate * options.rooms) * 1e9);
}

static void pump_open(uint64_t until) {
  static uint64_t due;
  static int room;
  if (!due) due = now_ns();
  for (uint64_t now; (now = now_ns()) < until;) {
    for (; due <= now; due += waiting_time()) {
      if (is_measured && now - due > tally.late_ns) tally.late_ns = now - due;
      post_message(next_sender(room++ % options.rooms), now_ns());
    }
    uint64_t end = due < until ? due : until;
    now = now_ns();
    net_poll(end > now ? end - now : 0);
  }
}

void pump_for(double seconds) {
  uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
  if (options.rate > 0) {
    pump_open(until);
    return;
  }
  for (int i = 0; i < options.rooms; i++) fill(i);
  while (now_ns() < until) {
    net_poll(100000000);
    for (int i = 0; i < options.rooms; i++)
      if (rooms[i].has_news) fill(i);
  }
}

// Deliveries and acks that have not come; negative if too many have.
int64_t missing(void) {
  int64_t open = 0;
  for (int i = 0; i < options.rooms; i++)
    open += (int64_t)(rooms[i].posted * readers(i) - rooms[i].delivered);
  for (int i = 0; i < options.rooms * options.members; i++)
    if (!members[i].slow) open += (int64_t)(members[i].posted - members[i].acked);
  return open;
}

// Members whose numbers do not add up: something came twice, or something else in its place.
uint64_t damaged(void) {
  uint64_t count = 0;
  for (int i = 0; i < options.rooms * options.members; i++) {
    const struct member *m = &members[i];
    count += !m->slow && m->sum_got != rooms[m->room].sum - m->sum_posted;
  }
  return count;
}
