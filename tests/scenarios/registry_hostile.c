/* Members of a mesh that break its rules. In each scenario a head (host 0) and two workers agree,
 * a scripted peer joins the head's mesh and does one kind of harm, and then the same must hold: a
 * new record of a worker is known to all within seconds, requests find their model, and what the
 * head holds stays within the stated bound. */
#include "evil.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str/str.h"

#define SECOND OCF_NS_PER_S
#define MS OCF_NS_PER_MS
#define MIB ((size_t)1 << 20)

typedef const uint8_t (*cids)[OCF_CID_BLOCK_SIZE];

static struct evil evil;
static size_t base_bytes;

/* The world before the harm. */
static void begin(struct stage *st)
{
  reg_hosts(st, 3, 1, false);
  reg_start_all(st);
  (void)reg_converge(st, 5 * SECOND);
  stage_sleep(st, 20 * SECOND);
  evil_init(&evil, st);
  ALIVE(st);
  evil_meet(&evil, 0);
  base_bytes = st->hosts[0]->alloc.live_bytes;
  st->hosts[0]->alloc.peak_bytes = base_bytes;
}

/* A request for what host `i` offers comes to it. */
static void ask_for(struct stage *st, size_t i)
{
  struct ocf_sim_plan p = reg_plan(st, 0, "/bytes/1000/1");
  p.ask = st->hosts[i]->services[0].group;
  p.expect = OCF_SIM_PATTERN;
  p.want_n = 1000;
  p.want_seed = 1;
  struct ocf_sim_client *c = stage_client_at(st, 0, &p);
  stage_finish(st, 10 * SECOND);
  ALIVE(st);
  stage_expect(st, c, OCF_SIM_COMPLETE, 200);
  ALIVE(st);
  CLAIM(st, strcmp(c->node, st->hosts[i]->id_text) == 0, "a request for h%zu went to %s", i,
        c->node);
  stage_forget_clients(st);
}

static void work_goes_on(struct stage *st, const char *group)
{
  ALIVE(st);
  reg_offer(st, 1, group);
  (void)reg_converge(st, 3 * SECOND);
  stage_sleep(st, 200 * MS); /* until there is a snapshot of it: a large table takes its time */
  ALIVE(st);
  ask_for(st, 1);
  ALIVE(st);
  ask_for(st, 2);
}

/* What was measured, for people. */
static void note(struct stage *st, const char *fmt, ...) OCF_PRINTF(2, 3);
static void note(struct stage *st, const char *fmt, ...)
{
  size_t used = strlen(st->note);
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(st->note + used, sizeof(st->note) - used, fmt, ap);
  va_end(ap);
}

/* What must hold after the harm; the head held at most `held` more than before in the meantime. */
static void end(struct stage *st, size_t held)
{
  const struct ocf_alloc *a = &st->hosts[0]->alloc;
  work_goes_on(st, "model=after");
  ALIVE(st);
  size_t peak = a->peak_bytes > base_bytes ? a->peak_bytes - base_bytes : 0;
  size_t left = a->live_bytes > base_bytes ? a->live_bytes - base_bytes : 0;
  note(st, "held %zu KiB more, %zu KiB now", peak >> 10, left >> 10);
  CLAIM(st, peak <= held, "the head held %zu bytes more, %zu are allowed", peak, held);
}

/* Also when a claim has failed. */
static void close_up(struct stage *st)
{
  evil_fini(&evil);
  reg_stop_all(st);
}

/* A scenario: the harm between the common beginning and end. */
static void siege(struct stage *st, void (*harm)(struct stage *st), size_t held)
{
  begin(st);
  if (!st->w.failed)
    harm(st);
  if (!st->w.failed)
    end(st, held);
  close_up(st);
}

/* ---- gossip ---- */

static bool thrown_out(struct stage *st)
{
  (void)st;
  return evil.n_downs > 0;
}

static void bad_signatures(struct stage *st)
{
  uint64_t rejected = 0;
  for (unsigned i = 0; i < 400; i++) {
    ALIVE(st);
    enum evil_fault f = (enum evil_fault)(1 + i % (EVIL_FAULTS - 1));
    evil_publish(&evil, "ocf-crdt", OCF_STR("anything"), f);
    if (i % 20 == 0)
      stage_sleep(st, 20 * MS);
  }
  CLAIM(st, reg_wait(st, thrown_out, 10 * SECOND), "a forger of signatures is kept");
  struct ocf_gossip_stats g = reg_stats(st, 0).gossip;
  for (size_t i = 0; i < OCF_GOSSIP_REJ_N; i++)
    rejected += g.rejected[i];
  note(st, "%llu refused; ", (unsigned long long)rejected);
  CLAIM(st, rejected > 0 && g.disconnects > 0, "%llu messages were refused, %llu peers thrown out",
        (unsigned long long)rejected, (unsigned long long)g.disconnects);
  CLAIM(st, reg_stats(st, 0).replica.broadcasts_bad == 0, "an unproved message was looked at");
}

void scenario_bad_signatures(struct stage *st)
{
  siege(st, bad_signatures, 2 * MIB);
}

static void oversized_rpc(struct stage *st)
{
  static uint8_t big[OCF_GOSSIP_RPC_MAX + 1024];
  uint64_t lost = evil.n_gossip_lost;
  memset(big, 'x', sizeof(big));
  /* Messages whose data is over the limit, in RPCs that are not. */
  for (unsigned i = 0; i < 8; i++) {
    evil_publish(&evil, "ocf-crdt", ocf_bytes(big, 900 * 1024), EVIL_NONE);
    stage_sleep(st, 100 * MS);
  }
  ALIVE(st);
  CLAIM(st, reg_stats(st, 0).gossip.rejected[OCF_GOSSIP_REJ_SIZE] == 8,
        "messages of 900 KiB were taken");
  CLAIM(st, reg_stats(st, 1).gossip.rx[OCF_GOSSIP_K_BYTES] < MIB, "and passed on");
  /* RPCs over the limit: the stream is reset at the length, not at the end. */
  for (unsigned i = 0; i < 8; i++) {
    evil_return(&evil);
    evil_rpc(&evil, ocf_bytes(big, sizeof(big)));
    stage_sleep(st, SECOND);
  }
  ALIVE(st);
  note(st, "%llu streams reset; ", (unsigned long long)(evil.n_gossip_lost - lost));
  CLAIM(st, evil.n_gossip_lost > lost, "RPCs of more than 1 MiB are taken");
}

void scenario_oversized_rpc(struct stage *st)
{
  siege(st, oversized_rpc, 6 * MIB);
}

static void graft_flood(struct stage *st)
{
  for (unsigned i = 0; i < 2000; i++) {
    ALIVE(st);
    evil_control(&evil, 4, "ocf-crdt", 0);
    evil_control(&evil, 3, "ocf-crdt", 0);
    if (i % 100 == 0)
      stage_sleep(st, 50 * MS);
  }
  stage_sleep(st, 5 * SECOND);
  ALIVE(st);
  struct ocf_gossip_stats g = reg_stats(st, 0).gossip;
  note(st, "%llu faults, thrown out %llu times; ", (unsigned long long)g.backoff_violations,
       (unsigned long long)evil.n_downs);
  CLAIM(st, g.backoff_violations > 0, "grafting within the back-off is no fault");
  CLAIM(st,
        !ocf_sim_peer_sees(evil.peer, &st->hosts[0]->id) || g.scores[4] + g.scores[3] > 0 ||
            evil.n_downs > 0,
        "a peer that grafts 2,000 times has no bad score");
}

void scenario_graft_flood(struct stage *st)
{
  siege(st, graft_flood, 2 * MIB);
}

/* Ids of messages that do not exist are told of, and never given. */
static void ihave_spam(struct stage *st)
{
  for (unsigned i = 0; i < 100; i++) {
    ALIVE(st);
    evil_return(&evil);
    evil_control(&evil, i % 3 == 2 ? 5 : 1, "ocf-crdt", 2000);
    stage_sleep(st, 100 * MS);
  }
  stage_sleep(st, 10 * SECOND);
  ALIVE(st);
  struct ocf_gossip_stats g = reg_stats(st, 0).gossip;
  note(st, "%llu IWANT, %llu broken promises, thrown out %llu times; ",
       (unsigned long long)g.tx[OCF_GOSSIP_K_IWANT], (unsigned long long)g.broken_promises,
       (unsigned long long)evil.n_downs);
  CLAIM(st, g.broken_promises > 0, "no promise counts as broken");
  CLAIM(st, g.tx[OCF_GOSSIP_K_IWANT] <= 100, "%llu IWANTs answered the spam",
        (unsigned long long)g.tx[OCF_GOSSIP_K_IWANT]);
}

void scenario_ihave_spam(struct stage *st)
{
  siege(st, ihave_spam, 4 * MIB);
}

/* ---- blocks ---- */

static void random_cid(struct stage *st, uint8_t cid[OCF_CID_BLOCK_SIZE])
{
  uint64_t any = ocf_sim_between(&st->w, 0, UINT64_MAX - 1);
  ocf_cid_of_block(OCF_CID_DAG_PB, ocf_bytes(&any, sizeof(any)), cid);
}

/* Heads that nobody has, a hundred in each message. */
static void unfetchable_head(struct stage *st)
{
  static uint8_t heads[100][OCF_CID_BLOCK_SIZE];
  evil.mute = true;
  for (unsigned i = 0; i < 100; i++) {
    ALIVE(st);
    for (size_t k = 0; k < OCF_ARRAY_LEN(heads); k++)
      random_cid(st, heads[k]);
    evil_announce(&evil, (cids)heads, OCF_ARRAY_LEN(heads));
    stage_sleep(st, 50 * MS);
    if (i % 25 == 20) {
      char group[32];
      (void)snprintf(group, sizeof(group), "model=during%u", i);
      reg_offer(st, 1, group);
      (void)reg_converge(st, SECOND);
    }
  }
  ALIVE(st);
  struct ocf_merkle_stats s = reg_stats(st, 0).replica;
  CLAIM(st, s.heads_rx >= 10000, "only %llu heads came", (unsigned long long)s.heads_rx);
  note(st, "%llu heads came, %zu are wanted; ", (unsigned long long)s.heads_rx, s.fetches);
  CLAIM(st, s.fetches <= 512, "%zu blocks are wanted for one announcer", s.fetches);
  CLAIM(st, s.synced, "the head waits for what never comes");
  /* A newcomer does not wait for them with its own record either. */
  reg_hosts(st, 1, 0, false);
  reg_start(st, 3, 0);
  (void)reg_converge(st, 15 * SECOND);
}

void scenario_unfetchable_head(struct stage *st)
{
  siege(st, unfetchable_head, 8 * MIB);
}

static void oversized_block(struct stage *st)
{
  static char big[3 * 1024 * 1024];
  static const size_t sizes[] = { 1200 * 1024, 1800 * 1024, 3 * 1024 * 1024 };
  memset(big, 'x', sizeof(big));
  for (size_t i = 0; i < 9; i++) {
    struct evil_entry v = { evil.peer->id_text, big, sizes[i % 3] };
    uint8_t cid[1][OCF_CID_BLOCK_SIZE];
    big[0] = (char)('a' + i);
    evil_block(&evil, &v, 1, 100 + i, NULL, 0, cid[0]);
    evil_announce(&evil, (cids)cid, 1);
    stage_sleep(st, SECOND);
    ALIVE(st);
  }
  stage_sleep(st, 10 * SECOND);
  ALIVE(st);
  struct ocf_merkle_stats s = reg_stats(st, 0).replica;
  CLAIM(st, s.block_bytes < MIB && s.rows == 3, "%llu bytes of blocks, %llu rows",
        (unsigned long long)s.block_bytes, (unsigned long long)s.rows);
  CLAIM(st, evil.n_served > 0, "nobody asked for the blocks");
}

void scenario_oversized_block(struct stage *st)
{
  siege(st, oversized_block, 24 * MIB);
}

/* Heads that are no deltas: no bytes, no data, bytes of no form, links only. */
static void empty_head(struct stage *st)
{
  uint8_t cid[3][OCF_CID_BLOCK_SIZE], child[1][OCF_CID_BLOCK_SIZE];
  static const uint8_t no_heads[] = { 0x0a, 0x00 };
  uint64_t blocks = reg_stats(st, 0).replica.blocks;
  evil_raw_block(&evil, ocf_bytes(NULL, 0), cid[0]);
  evil_raw_block(&evil, OCF_STR("\x0a\x02no"), cid[1]);
  evil_raw_block(&evil, OCF_STR("these bytes are no node"), cid[2]);
  evil_announce(&evil, (cids)cid, 3);
  evil_publish(&evil, "ocf-crdt", ocf_bytes(NULL, 0), EVIL_NONE);
  evil_publish(&evil, "ocf-crdt", ocf_bytes(no_heads, sizeof(no_heads)), EVIL_NONE);
  evil_publish(&evil, "ocf-crdt", OCF_STR("no broadcast"), EVIL_NONE);
  evil_block(&evil, NULL, 0, 7, (cids)cid, 3, child[0]); /* a delta of nothing above them */
  evil_announce(&evil, (cids)child, 1);
  stage_sleep(st, 5 * SECOND);
  ALIVE(st);
  struct ocf_merkle_stats s = reg_stats(st, 0).replica;
  CLAIM(st, s.rows == 3, "%llu rows", (unsigned long long)s.rows);
  CLAIM(st, s.blocks <= blocks + 3, "%llu blocks, %llu before", (unsigned long long)s.blocks,
        (unsigned long long)blocks);
}

void scenario_empty_head(struct stage *st)
{
  siege(st, empty_head, 2 * MIB);
}

/* ---- histories ---- */

/* The highest priority there is, for the forger's own key and for a worker's. */
static void priority_max(struct stage *st)
{
  char value[1024], key[OCF_PEERID_TEXT_SIZE + 1];
  evil_record(value, sizeof(value), evil.peer->id_text, "model=evil", "");
  (void)snprintf(key, sizeof(key), "/%s", evil.peer->id_text);
  evil_put(&evil, key, value, UINT64_MAX);
  stage_sleep(st, 2 * SECOND);
  ALIVE(st);
  work_goes_on(st, "model=between");
  ALIVE(st);
  evil_record(value, sizeof(value), st->hosts[2]->id_text, "model=zzz", "");
  (void)snprintf(key, sizeof(key), "/%s", st->hosts[2]->id_text);
  evil_put(&evil, key, value, UINT64_MAX);
  stage_sleep(st, 100 * MS);
  (void)reg_converge(st, 5 * SECOND); /* its owner has said otherwise */
  for (unsigned i = 0; i < 3; i++) {
    char group[32];
    ALIVE(st);
    (void)snprintf(group, sizeof(group), "model=later%u", i);
    reg_offer(st, 2, group);
    (void)reg_converge(st, 3 * SECOND);
  }
}

void scenario_priority_max(struct stage *st)
{
  siege(st, priority_max, 2 * MIB);
}

static bool chain_is_there(struct stage *st)
{
  return reg_stats(st, 0).replica.blocks >= 10000 && reg_stats(st, 0).replica.incomplete == 0;
}

/* A chain of 10,000 blocks, told by its newest. */
static void deep_chain(struct stage *st)
{
  uint8_t cid[2][OCF_CID_BLOCK_SIZE];
  char key[OCF_PEERID_TEXT_SIZE + 1], value[16];
  (void)snprintf(key, sizeof(key), "/%s", evil.peer->id_text);
  for (unsigned i = 0; i < 10000; i++) {
    struct evil_entry v = { key, value, 0 };
    (void)snprintf(value, sizeof(value), "%u", i);
    evil_block(&evil, &v, 1, i + 1, (cids)&cid[(i + 1) % 2], i > 0 ? 1 : 0, cid[i % 2]);
  }
  evil_announce(&evil, (cids)&cid[1], 1);
  stage_sleep(st, SECOND);
  ALIVE(st);
  work_goes_on(st, "model=meanwhile");
  uint64_t begun = st->w.now_ns;
  CLAIM(st, reg_wait(st, chain_is_there, 120 * SECOND), "%llu of the 10,000 blocks came",
        (unsigned long long)reg_stats(st, 0).replica.blocks);
  note(st, "10,000 blocks in %.3f s; ", (double)(st->w.now_ns - begun + SECOND) / 1e9);
}

void scenario_deep_chain(struct stage *st)
{
  siege(st, deep_chain, 24 * MIB);
}

/* Exchanges of heads that are begun and never ended. */
static void heads_flood(struct stage *st)
{
  static const uint8_t part[60 * 1024];
  for (unsigned i = 0; i < 400; i++) {
    ALIVE(st);
    struct ocf_sim_peer_stream *s =
        ocf_sim_peer_open(evil.peer, ocf_node_id(st->hosts[0]->node), OCF_STR("/ocf/heads/1.0.0"));
    if (s != NULL)
      ocf_sim_peer_write(s, part, sizeof(part));
    if (i % 20 == 0)
      stage_sleep(st, 20 * MS);
  }
  stage_sleep(st, SECOND);
}

void scenario_heads_flood(struct stage *st)
{
  siege(st, heads_flood, 4 * MIB);
}

static void want_flood(struct stage *st)
{
  for (unsigned i = 0; i < 200; i++) {
    ALIVE(st);
    evil_want(&evil, 1000);
    if (i % 10 == 0)
      stage_sleep(st, 100 * MS);
  }
  stage_sleep(st, 5 * SECOND);
  ALIVE(st);
  struct ocf_bitswap_stats s = reg_stats(st, 0).blocks;
  note(st, "%llu wants came, %zu are kept; ", (unsigned long long)s.wants_in, s.ledger);
  CLAIM(st, s.wants_in >= 1000, "only %llu wants came", (unsigned long long)s.wants_in);
  CLAIM(st, s.ledger <= 1024 + 64, "%zu wants of one peer are kept", s.ledger);
}

void scenario_want_flood(struct stage *st)
{
  siege(st, want_flood, 12 * MIB);
}

/* ---- records ---- */

/* What a request for this model gives. */
static unsigned asked(struct stage *st, const char *group, char node[100])
{
  struct ocf_sim_plan p = reg_plan(st, 0, "/bytes/10/1");
  p.ask = group;
  struct ocf_sim_client *c = stage_client_at(st, 0, &p);
  stage_finish(st, 10 * SECOND);
  unsigned status = c->status;
  if (node != NULL)
    memcpy(node, c->node, 100);
  stage_forget_clients(st);
  return status;
}

/* Records for a worker's key, by somebody else. */
static void foreign_record(struct stage *st)
{
  char value[1024], key[OCF_PEERID_TEXT_SIZE + 1];
  size_t n_held = 0;
  (void)snprintf(key, sizeof(key), "/%s", st->hosts[1]->id_text);
  for (unsigned i = 0; i < 10; i++) {
    ALIVE(st);
    evil_record(value, sizeof(value), st->hosts[1]->id_text, "model=stolen", "");
    evil_put(&evil, key, value, 1000 + 10 * i);
    for (unsigned k = 0; k < 20; k++) {
      stage_sleep(st, 5 * MS);
      ALIVE(st);
      n_held += reg_stats(st, 0).table.n_held;
      CLAIM(st, !reg_shows(st, 0, 1, "model=stolen", false), "the forged record is believed");
    }
    unsigned status = asked(st, "model=stolen", NULL);
    CLAIM(st, status >= 400, "a request for the forged model gave %u", status);
    /* As its own, under the worker's key. */
    evil_record(value, sizeof(value), evil.peer->id_text, "model=stolen", "");
    evil_put(&evil, key, value, 1005 + 10 * i);
    stage_sleep(st, SECOND);
  }
  ALIVE(st);
  struct ocf_table_stats t = reg_stats(st, 0).table;
  CLAIM(st, n_held > 0, "no value waits for its owner's word");
  CLAIM(st, t.verdicts[OCF_TABLE_HELD] > 0 && t.verdicts[OCF_TABLE_WRONG_ID] > 0,
        "%llu values were held, %llu refused", (unsigned long long)t.verdicts[OCF_TABLE_HELD],
        (unsigned long long)t.verdicts[OCF_TABLE_WRONG_ID]);
  note(st, "%llu held, %llu refused; ", (unsigned long long)t.verdicts[OCF_TABLE_HELD],
       (unsigned long long)(t.verdicts[OCF_TABLE_WRONG_ID] + t.verdicts[OCF_TABLE_FOREIGN]));
  (void)reg_converge(st, 70 * SECOND); /* the owner waits longer each time */
}

void scenario_foreign_record(struct stage *st)
{
  siege(st, foreign_record, 2 * MIB);
}

static bool ten_thousand(struct stage *st)
{
  return reg_stats(st, 0).replica.rows >= 10003;
}

/* Records of 10,000 peers that do not exist. */
static void ten_thousand_keys(struct stage *st)
{
  enum { BLOCKS = 100, EACH = 100 };
  static char keys[EACH][OCF_PEERID_TEXT_SIZE + 1], values[EACH][512];
  struct evil_entry v[EACH];
  uint8_t cid[1][OCF_CID_BLOCK_SIZE];
  for (unsigned i = 0; i < BLOCKS; i++) {
    for (unsigned k = 0; k < EACH; k++) {
      keys[k][0] = '/';
      evil_random_id(&evil, keys[k] + 1);
      evil_record(values[k], sizeof(values[k]), keys[k] + 1, "model=none", "");
      v[k] = (struct evil_entry){ keys[k], values[k], 0 };
    }
    evil_block(&evil, v, EACH, 10 + i, NULL, 0, cid[0]);
    evil_announce(&evil, (cids)cid, 1);
    stage_sleep(st, 50 * MS);
    ALIVE(st);
  }
  CLAIM(st, reg_wait(st, ten_thousand, 60 * SECOND), "only %llu rows came",
        (unsigned long long)reg_stats(st, 0).replica.rows);
  struct ocf_table_stats t = reg_stats(st, 0).table;
  CLAIM(st, t.n_rows <= 16384 && t.n_bytes <= 48 * MIB, "%zu rows, %zu bytes", t.n_rows, t.n_bytes);
  unsigned status = asked(st, "model=none", NULL);
  CLAIM(st, status >= 400, "somebody answered for peers that do not exist: %u", status);
}

void scenario_ten_thousand_keys(struct stage *st)
{
  siege(st, ten_thousand_keys, 64 * MIB);
}

/* Values and keys of every wrong form. */
static void malformed_records(struct stage *st)
{
  static char deep[4096], big[300 * 1024];
  char key[OCF_PEERID_TEXT_SIZE + 1], id[OCF_PEERID_TEXT_SIZE];
  static const char *const values[] = { "",       "null",           "[]", "{", "{}", "{\"id\":7}",
                                        "\"id\"", "{\"id\":\"x\"}", deep, big };
  static const char *const bad_keys[] = { "/", "", "/x", "//", "/../..", "/a/b/c", "plain" };
  memset(deep, '[', sizeof(deep) - 1);
  memset(big, ' ', sizeof(big) - 1);
  big[0] = '{';
  for (size_t i = 0; i < OCF_ARRAY_LEN(values); i++) {
    evil_random_id(&evil, id);
    (void)snprintf(key, sizeof(key), "/%s", id);
    evil_put(&evil, key, values[i], 50 + i);
    (void)snprintf(key, sizeof(key), "/%s", st->hosts[2]->id_text);
    evil_put(&evil, key, values[i], 50 + i);
    stage_sleep(st, 200 * MS);
    ALIVE(st);
  }
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad_keys); i++) {
    evil_put(&evil, bad_keys[i], "{\"id\":\"x\"}", 100 + i);
    stage_sleep(st, 200 * MS);
    ALIVE(st);
  }
  struct ocf_table_stats t = reg_stats(st, 0).table;
  CLAIM(st, t.verdicts[OCF_TABLE_MALFORMED] > 0, "nothing malformed was refused");
  CLAIM(st, t.verdicts[OCF_TABLE_BAD_KEY] > 0, "no bad key was refused");
  CLAIM(st, t.verdicts[OCF_TABLE_WRONG_ID] > 0, "no wrong id was refused");
  CLAIM(st, t.verdicts[OCF_TABLE_TOO_LARGE] > 0, "nothing too large was refused");
  (void)reg_converge(st, 70 * SECOND);
}

void scenario_malformed_records(struct stage *st)
{
  siege(st, malformed_records, 8 * MIB);
}

/* "left", said of workers that are there: by nobody, and by one who calls itself a head. */
static void forged_left(struct stage *st)
{
  char value[1024], key[OCF_PEERID_TEXT_SIZE + 1], more[256];
  (void)snprintf(key, sizeof(key), "/%s", evil.peer->id_text);
  (void)snprintf(value, sizeof(value), "{\"id\":\"%s\",\"role\":[\"head\"],\"service\":null}",
                 evil.peer->id_text);
  evil_put(&evil, key, value, 500);
  for (unsigned i = 0; i < 6; i++) {
    ALIVE(st);
    size_t victim = 1 + i % 2;
    (void)snprintf(more, sizeof(more), ",\"status\":\"left\"%s%s%s",
                   i % 3 == 0 ? "" : ",\"evicted_by\":\"", i % 3 == 0 ? "" : evil.peer->id_text,
                   i % 3 == 0 ? "" : "\"");
    evil_record(value, sizeof(value), st->hosts[victim]->id_text, "model=gone", more);
    (void)snprintf(key, sizeof(key), "/%s", st->hosts[victim]->id_text);
    evil_put(&evil, key, value, 1000 + i);
    for (unsigned k = 0; k < 20; k++) {
      stage_sleep(st, 20 * MS);
      ALIVE(st);
      CLAIM(st, reg_routes(st, 0, victim), "round %u: the word of a stranger ended the routing", i);
    }
    ask_for(st, victim);
  }
  (void)reg_converge(st, 70 * SECOND);
}

void scenario_forged_left(struct stage *st)
{
  siege(st, forged_left, 2 * MIB);
}
