// Options, the phases of a run, and what is printed of it: one line of JSON.
//
// Connect everybody; let it settle; then either post (warm up, measure, drain) or be idle for as
// long. The relay and the baselines go through the same phases.
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define CONNECT_S 180.0
#define DRAIN_S 10.0

struct options options = {
    .rooms = 1, .members = 2, .window = 16, .in_flight = 32, .sealed = 284, .seconds = 3};
struct tally tally;
struct member *members;
struct room *rooms;
bool is_measured;
static uint64_t started;
static bool is_idle;

uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t random_bits(void) {  // xorshift: for masks, references and noise
  static uint64_t x = 88172645463325252u;
  if (!started) x ^= started = now_ns();
  x ^= x << 13;
  x ^= x >> 7;
  return x ^= x << 17;
}

void die(const char *why) {
  perror(why);
  exit(1);
}

void became_ready(struct member *m) {
  m->state = READY;
  tally.ready++;
  latency_add(now_ns() - m->began);
}

static double seconds_since(uint64_t then) { return (double)(now_ns() - then) / 1e9; }

static void usage(void) {
  fprintf(stderr,
          "load -P relay|plain -p port [-K keys] -S pids -r rooms -m members [-s senders]\n"
          "     [-x slow] [-R rate | -w window] [-b sealed bytes] [-c in flight] [-H] [-i]\n"
          "     [-W warm] [-d seconds] [-g settle]\n");
  exit(2);
}

static const char *parse(int argc, char **argv) {
  const char *keys = NULL;
  for (int o; (o = getopt(argc, argv, "P:p:K:S:r:m:s:x:R:w:b:c:HiW:d:g:")) != -1;) switch (o) {
      case 'P':
        options.protocol = strcmp(optarg, "relay") ? &plain_protocol : &relay_protocol;
        break;
      case 'p': options.port = atoi(optarg); break;
      case 'K': keys = optarg; break;
      case 'S': watch_processes(optarg); break;
      case 'r': options.rooms = atoi(optarg); break;
      case 'm': options.members = atoi(optarg); break;
      case 's': options.senders = atoi(optarg); break;
      case 'x': options.slow = atoi(optarg); break;
      case 'R': options.rate = atof(optarg); break;
      case 'w': options.window = atoi(optarg); break;
      case 'b': options.sealed = atoi(optarg); break;
      case 'c': options.in_flight = atoi(optarg); break;
      case 'H': options.hello_only = true; break;
      case 'i': is_idle = true; break;
      case 'W': options.warm = atof(optarg); break;
      case 'd': options.seconds = atof(optarg); break;
      case 'g': options.settle = atof(optarg); break;
      default: usage();
    }
  if (!options.senders) options.senders = options.members - options.slow;
  if (!options.protocol || !options.port || options.sealed < MARK || options.sealed > MAX_SEALED)
    usage();
  return keys;
}

static void prepare(const char *keys) {
  int count = options.rooms * options.members;
  members = calloc((size_t)count, sizeof *members);
  rooms = calloc((size_t)options.rooms, sizeof *rooms);
  for (int i = 0; i < count; i++) {
    members[i].room = i % options.rooms;
    members[i].slow = !members[i].room && i / options.rooms >= options.members - options.slow;
  }
  if (options.protocol == &relay_protocol) relay_keys(keys ? keys : "");
  net_start();
}

static void connect_all(void) {
  uint64_t count = (uint64_t)(options.rooms * options.members), begun = 0, began = now_ns();
  while (tally.ready < count && !tally.gone) {
    while (begun < count && begun - tally.ready < (uint64_t)options.in_flight)
      net_connect(&members[begun++]);
    net_poll(5000000);
    relay_retries(now_ns());
    if (seconds_since(began) > CONNECT_S) break;
  }
  if (tally.ready < count) {
    fprintf(stderr, "only %lu of %lu members came in\n", (unsigned long)tally.ready, (unsigned long)count);
    exit(1);
  }
}

static void be_idle(double seconds) {
  for (uint64_t began = now_ns(); seconds_since(began) < seconds;) net_poll(20000000);
}

static void deafen(bool deaf) {
  for (int i = 0; i < options.rooms * options.members; i++)
    if (members[i].slow) net_deafen(&members[i], deaf);
}

// What is under way still comes; the slow read again, and see whether they were cut.
static void drain(void) {
  uint64_t began = now_ns();
  if (options.slow) deafen(false);
  while ((missing() > 0 || (options.slow && seconds_since(began) < 1)) &&
         seconds_since(began) < DRAIN_S)
    net_poll(20000000);
}

static void print(const char *name, double value) { printf("\"%s\": %.6g, ", name, value); }

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  prepare(parse(argc, argv));
  double count = options.rooms * (double)options.members;
  double empty_kib = memory_kib(), cpu = cpu_seconds();
  uint64_t began = now_ns();
  connect_all();
  printf("{");
  print("connections", count);
  print("connect_s", seconds_since(began));
  print("connect_p50_ms", latency_ms(.5));
  print("connect_p99_ms", latency_ms(.99));
  be_idle(options.settle > .1 ? options.settle
                              : .1);  // what the last of them cost comes a little later
  print("connect_cpu_s", cpu_seconds() - cpu);
  print("empty_kib", empty_kib);
  print("joined_kib", memory_kib());
  latency_clear();
  if (options.slow) deafen(true);
  if (!is_idle) pump_for(options.warm);
  is_measured = true;
  uint64_t deliveries = tally.deliveries, from = now_ns();
  double own = own_cpu_seconds();
  cpu = cpu_seconds();
  if (is_idle)
    be_idle(options.seconds);
  else
    pump_for(options.seconds);
  cpu = cpu_seconds() - cpu;
  double seconds = seconds_since(from);
  deliveries = tally.deliveries - deliveries;
  is_measured = false;
  print("seconds", seconds);
  print("server_cpu_s", cpu);
  print("generator_cpu_s", own_cpu_seconds() - own);
  print("deliveries", (double)deliveries);
  print("end_kib", memory_kib());
  drain();
  print("p50_ms", latency_ms(.5));
  print("p90_ms", latency_ms(.9));
  print("p99_ms", latency_ms(.99));
  print("p999_ms", latency_ms(.999));
  print("late_ms", (double)tally.late_ns / 1e6);
  print("lost", (double)missing());
  print("damaged", (double)damaged());
  print("wrong_room", (double)tally.wrong_room);
  print("out_of_order", (double)tally.out_of_order);
  print("refused", (double)tally.refused);
  print("others", (double)tally.others);
  printf("\"gone\": %lu}\n", (unsigned long)tally.gone);
  return 0;
}
