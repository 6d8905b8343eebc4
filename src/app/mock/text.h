/* What the mock says: text, bytes and vectors that follow from the request alone, so that a test
 * can compute what must arrive.
 *
 * A token is a word with a space before it, but for the first. The answer to a prompt is
 *   You asked: <prompt> <the fixed passage, OCF_MOCK_PASSAGE>
 * whose words are its tokens; when more are asked for, the passage begins again. Pure. */
#ifndef OCF_APP_MOCK_TEXT_H
#define OCF_APP_MOCK_TEXT_H

#include "base/core/core.h"

#define OCF_MOCK_PASSAGE                                                                           \
  "OCF joins machines into one fabric. A head node takes the request, a worker node computes the " \
  "answer, and every token comes back over libp2p the moment it is made. This text is written by " \
  "a mock, one word at a time, so nothing here was learned from anyone."

/* The next token to give; a view walk, no memory. */
struct ocf_mock_text {
  struct ocf_bytes part[3]; /* "You asked:", the prompt, the passage */
  size_t index, pos;        /* where the next word is looked for */
  uint64_t n_given;
};

/* Borrows `prompt` for the life of `t`. */
void ocf_mock_text_init(struct ocf_mock_text *t, struct ocf_bytes prompt);
/* The next word, without its space; never empty, never ends. A view into the passage or prompt. */
struct ocf_bytes ocf_mock_text_next(struct ocf_mock_text *t);
/* How many tokens the whole answer has when nothing bounds it. */
uint64_t ocf_mock_text_length(struct ocf_bytes prompt);
/* Words in `text`, split at blanks and control characters: how the mock counts tokens. */
uint64_t ocf_mock_text_words(struct ocf_bytes text);

/* FNV-1a, 64 bits; begin with OCF_MOCK_FNV_BASIS. */
#define OCF_MOCK_FNV_BASIS UINT64_C(0xcbf29ce484222325)
uint64_t ocf_mock_fnv1a(uint64_t h, const void *p, size_t n);

/* Fills v[0..dims) with the unit vector of the text that hashes to `hash`. dims > 0. */
void ocf_mock_vector(uint64_t hash, float *v, size_t dims);

/* Byte `i` of /mock/bytes is (i * 131 + (i >> 8) + (i >> 16)) mod 256: a shift, a cut or a repeat
 * shows, short of a multiple of 16 MiB. */
void ocf_mock_pattern(uint64_t offset, uint8_t *dst, size_t n);

#endif
