// What a hello needs: base64url, SHA-512, and the second half of an Ed25519 signature.
//
// The first half, R, is one point for the whole run, drawn by the driver with all keys: then no
// curve arithmetic is left to do here, and the generator costs little beside the server. The
// relay's check is the same as ever. (Two signatures with one R give the key away. These keys guard
// nothing.)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum { BLOCK = 128, DIGEST = 64 };

static uint8_t point[32], secret[32];  // R, and r of which it was made

static const uint64_t ROUND[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static uint64_t rotated(uint64_t x, int by) { return x >> by | x << (64 - by); }

static void compress(uint64_t state[8], const uint8_t *block) {
  uint64_t w[80], s[8];
  for (int i = 0; i < 16; i++) {
    w[i] = 0;
    for (int j = 0; j < 8; j++) w[i] = w[i] << 8 | block[8 * i + j];
  }
  for (int i = 16; i < 80; i++) {
    uint64_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (rotated(a, 1) ^ rotated(a, 8) ^ a >> 7) + w[i - 7] +
           (rotated(b, 19) ^ rotated(b, 61) ^ b >> 6);
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 80; i++) {
    uint64_t one = s[7] + (rotated(s[4], 14) ^ rotated(s[4], 18) ^ rotated(s[4], 41)) +
                   ((s[4] & s[5]) ^ (~s[4] & s[6])) + ROUND[i] + w[i];
    uint64_t two = (rotated(s[0], 28) ^ rotated(s[0], 34) ^ rotated(s[0], 39)) +
                   ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += one;
    s[0] = one + two;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

static void sha512(const uint8_t *data, size_t size, uint8_t digest[DIGEST]) {
  uint64_t state[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                       0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                       0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
  uint8_t last[2 * BLOCK] = {0};
  size_t whole = size / BLOCK * BLOCK, rest = size - whole,
         end = rest < BLOCK - 16 ? BLOCK : 2 * BLOCK;
  for (size_t at = 0; at < whole; at += BLOCK) compress(state, data + at);
  memcpy(last, data + whole, rest);
  last[rest] = 0x80;
  for (int i = 0; i < 8; i++) last[end - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
  for (size_t at = 0; at < end; at += BLOCK) compress(state, last + at);
  for (int i = 0; i < DIGEST; i++) digest[i] = (uint8_t)(state[i / 8] >> (56 - i % 8 * 8));
}

// Reduce a number of 64 small-endian limbs of one byte each by the order of the base point. After
// TweetNaCl's modL, which is in the public domain.
static void reduce(uint8_t out[32], int64_t x[64]) {
  static const int64_t ORDER[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                    0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                    0,    0,    0,    0,    0,    0,    0,    0,
                                    0,    0,    0,    0,    0,    0,    0,    0x10};
  int64_t carry;
  for (int i = 63; i >= 32; i--) {
    int j = i - 32;
    for (carry = 0; j < i - 12; j++) {
      x[j] += carry - 16 * x[i] * ORDER[j - (i - 32)];
      carry = (x[j] + 128) >> 8;
      x[j] -= carry * 256;
    }
    x[j] += carry;
    x[i] = 0;
  }
  carry = 0;
  int64_t high = x[31] >> 4;
  for (int j = 0; j < 32; j++) {
    x[j] += carry - high * ORDER[j];
    carry = x[j] >> 8;
    x[j] &= 255;
  }
  for (int j = 0; j < 32; j++) x[j] -= carry * ORDER[j];
  for (int j = 0; j < 32; j++) {
    if (j < 31) x[j + 1] += x[j] >> 8;
    out[j] = (uint8_t)(x[j] & 255);
  }
}

void base64url(const uint8_t *data, size_t size, char *out) {
  static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  uint32_t bits = 0, held = 0;
  for (size_t i = 0; i < size; i++) {
    bits = bits << 8 | data[i];
    for (held += 8; held >= 6; held -= 6) *out++ = LETTERS[bits >> (held - 6) & 63];
  }
  if (held) *out++ = LETTERS[bits << (6 - held) & 63];
  *out = 0;
}

static void from_base64url(const char *text, size_t letters, uint8_t *out) {
  uint32_t bits = 0, held = 0;
  for (size_t i = 0; i < letters; i++) {
    char c = text[i];
    uint32_t value = c >= 'a'   ? (uint32_t)(c - 'a') + 26
                     : c == '_' ? 63u
                     : c >= 'A' ? (uint32_t)(c - 'A')
                     : c >= '0' ? (uint32_t)(c - '0') + 52
                                : 62u;
    bits = bits << 6 | value;
    held += 6;
    if (held >= 8) *out++ = (uint8_t)(bits >> (held -= 8));
  }
}

// The driver's file: R and r, then for each room its id, access key and the key's scalar.
void relay_keys(const char *name) {
  FILE *file = fopen(name, "rb");
  if (!file || fread(point, 32, 1, file) != 1 || fread(secret, 32, 1, file) != 1) die(name);
  for (int i = 0; i < options.rooms; i++)
    if (fread(rooms[i].id, 16, 1, file) != 1 || fread(rooms[i].access, 32, 1, file) != 1 ||
        fread(rooms[i].scalar, 32, 1, file) != 1)
      die(name);
  fclose(file);
}

// PROTOCOL 4.1.
void proof_text(const struct room *room, const char *host, const char nonce[43],
                char signature[87]) {
  uint8_t signed_text[512], digest[DIGEST], both[64];
  size_t at = 64;
  memcpy(signed_text, point, 32);
  memcpy(signed_text + 32, room->access, 32);
  at += (size_t)snprintf((char *)signed_text + at, 256, "beacon hello v1%s", host);
  memcpy(signed_text + at, room->id, 16);
  from_base64url(nonce, 43, signed_text + at + 16);
  sha512(signed_text, at + 16 + NONCE, digest);
  int64_t wide[64] = {0}, sum[64] = {0};
  uint8_t challenge[32];
  for (int i = 0; i < 64; i++) wide[i] = digest[i];
  reduce(challenge, wide);
  for (int i = 0; i < 32; i++) sum[i] = secret[i];
  for (int i = 0; i < 32; i++)
    for (int j = 0; j < 32; j++) sum[i + j] += (int64_t)challenge[i] * room->scalar[j];
  memcpy(both, point, 32);
  reduce(both + 32, sum);
  base64url(both, 64, signature);
}
