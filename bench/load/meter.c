// Latencies, and what the server's processes have used: CPU from stat, memory as Pss.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load.h"

// Log-linear: 64 steps per power of two, so that a figure is within 1.6 % of the truth.
enum { STEPS = 64, POWERS = 48, PROCESSES = 64 };

static uint64_t counts[STEPS * POWERS], count;
static int processes[PROCESSES], process_count;

void latency_add(uint64_t ns) {
  int power = ns < STEPS ? 0 : 63 - __builtin_clzll(ns) - 5;
  size_t at = power ? (size_t)power * STEPS + (ns >> power & (STEPS - 1)) : ns;
  counts[at < STEPS * POWERS ? at : STEPS * POWERS - 1]++;
  count++;
}

void latency_clear(void) {
  memset(counts, 0, sizeof counts);
  count = 0;
}

double latency_ms(double share) {
  uint64_t wanted = (uint64_t)(share * (double)count), seen = 0;
  for (size_t i = 0; i < STEPS * POWERS && count; i++) {
    seen += counts[i];
    if (seen > wanted || seen == count) {
      size_t power = i / STEPS;
      return (double)(power ? i % STEPS << power : i) / 1e6;
    }
  }
  return 0;
}

void watch_processes(char *pids) {
  for (char *pid = strtok(pids, ","); pid && process_count < PROCESSES; pid = strtok(NULL, ","))
    processes[process_count++] = atoi(pid);
}

double cpu_seconds(void) {
  unsigned long ticks = 0;
  for (int i = 0; i < process_count; i++) {
    char name[64], line[1024];
    snprintf(name, sizeof name, "/proc/%d/stat", processes[i]);
    FILE *file = fopen(name, "r");
    if (!file) die(name);
    size_t size = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[size] = 0;
    unsigned long user = 0, system = 0;
    const char *rest = strrchr(line, ')');  // the name before it may hold anything
    sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    ticks += user + system;
  }
  return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

double memory_kib(void) {
  double total = 0;
  for (int i = 0; i < process_count; i++) {
    char name[64], line[256];
    snprintf(name, sizeof name, "/proc/%d/smaps_rollup", processes[i]);
    FILE *file = fopen(name, "r");
    if (!file) die(name);
    while (fgets(line, sizeof line, file))
      if (!strncmp(line, "Pss:", 4)) total += atof(line + 4);
    fclose(file);
  }
  return total;
}

double own_cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
