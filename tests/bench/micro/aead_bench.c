/* Which library seals and opens ChaCha20-Poly1305 faster, by message size: the figures behind
 * docs/decisions/0003-aead-library.md. Runs each for about 0.3 s and prints nanoseconds per message
 * and MB/s; the best of five rounds, because the machine may be shared.
 *
 *   cc -O2 aead_bench.c -lcrypto -lsodium -o aead_bench && ./aead_bench */
#define _POSIX_C_SOURCE 200809L
#include <openssl/evp.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint8_t key[32], buf[65536 + 16];
static EVP_CIPHER_CTX *enc, *dec;

static void nonce_of(uint64_t n, uint8_t out[12])
{
  memset(out, 0, 4);
  for (int i = 0; i < 8; i++)
    out[4 + i] = (uint8_t)(n >> (8 * i));
}

static int evp_seal(uint64_t n, size_t len)
{
  uint8_t iv[12];
  int k;

  nonce_of(n, iv);
  return EVP_EncryptInit_ex(enc, NULL, NULL, NULL, iv) &&
         EVP_EncryptUpdate(enc, buf, &k, buf, (int)len) &&
         EVP_EncryptFinal_ex(enc, buf + len, &k) &&
         EVP_CIPHER_CTX_ctrl(enc, EVP_CTRL_AEAD_GET_TAG, 16, buf + len);
}

static int evp_open(uint64_t n, size_t len)
{
  uint8_t iv[12];
  int k;

  nonce_of(n, iv);
  return EVP_DecryptInit_ex(dec, NULL, NULL, NULL, iv) &&
         EVP_CIPHER_CTX_ctrl(dec, EVP_CTRL_AEAD_SET_TAG, 16, buf + len) &&
         EVP_DecryptUpdate(dec, buf, &k, buf, (int)len) && EVP_DecryptFinal_ex(dec, buf + len, &k);
}

static int na_seal(uint64_t n, size_t len)
{
  uint8_t iv[12];

  nonce_of(n, iv);
  return crypto_aead_chacha20poly1305_ietf_encrypt_detached(buf, buf + len, NULL, buf, len, NULL, 0,
                                                            NULL, iv, key) == 0;
}

static int na_open(uint64_t n, size_t len)
{
  uint8_t iv[12];

  nonce_of(n, iv);
  return crypto_aead_chacha20poly1305_ietf_decrypt_detached(buf, NULL, buf, len, buf + len, NULL, 0,
                                                            iv, key) == 0;
}

static double now_ns(void)
{
  struct timespec t;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds per seal+open pair, and the share of the seal. */
static void measure(const char *name, int (*seal)(uint64_t, size_t), int (*open)(uint64_t, size_t),
                    size_t len)
{
  double best_seal = 1e18, best_pair = 1e18;
  size_t rounds = 20000000 / (len + 500);

  for (int r = 0; r < 5; r++) {
    double t0 = now_ns();
    for (size_t i = 0; i < rounds; i++)
      if (!seal(i, len))
        exit(1);
    double t1 = now_ns();
    for (size_t i = 0; i < rounds; i++)
      if (!seal(i, len) || !open(i, len))
        exit(1);
    double t2 = now_ns();
    best_seal = (t1 - t0) / (double)rounds < best_seal ? (t1 - t0) / (double)rounds : best_seal;
    best_pair = (t2 - t1) / (double)rounds < best_pair ? (t2 - t1) / (double)rounds : best_pair;
  }
  double open_ns = best_pair - best_seal;
  printf("%-8s %6zu bytes: seal %8.0f ns %6.0f MB/s   open %8.0f ns %6.0f MB/s\n", name, len,
         best_seal, (double)len * 1e3 / best_seal, open_ns, (double)len * 1e3 / open_ns);
}

int main(void)
{
  static const size_t sizes[] = { 16, 100, 256, 512, 1024, 2048, 4096, 16384, 65519 };

  if (sodium_init() < 0)
    return 1;
  enc = EVP_CIPHER_CTX_new();
  dec = EVP_CIPHER_CTX_new();
  if (!EVP_EncryptInit_ex(enc, EVP_chacha20_poly1305(), NULL, key, NULL) ||
      !EVP_DecryptInit_ex(dec, EVP_chacha20_poly1305(), NULL, key, NULL))
    return 1;
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    measure("openssl", evp_seal, evp_open, sizes[i]);
    measure("sodium", na_seal, na_open, sizes[i]);
  }
  EVP_CIPHER_CTX_free(enc);
  EVP_CIPHER_CTX_free(dec);
  return 0;
}
