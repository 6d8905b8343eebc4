#include "basic.h"

static void rough(struct ocf_sim_net_config *cfg, struct ocf_rng *rng)
{
  cfg->short_permille = 800;
  cfg->late_permille = 5;
  cfg->sndbuf_min = 512;
  cfg->sndbuf_max = 65536;
  cfg->rcvbuf_min = 1024;
  cfg->rcvbuf_max = 65536;
  cfg->segment_max = (size_t)(1 + ocf_rng_below(rng, 16384));
  cfg->jitter_ns = ocf_rng_below(rng, 2 * OCF_NS_PER_MS);
  cfg->wake_ns = ocf_rng_below(rng, OCF_NS_PER_MS);
}

/* Rough, and connections are reset at random, now and then with what was not read yet. */
static void wild(struct ocf_sim_net_config *cfg, struct ocf_rng *rng)
{
  rough(cfg, rng);
  cfg->reset_ppm = (unsigned)ocf_rng_below(rng, 3000);
  cfg->reset_drops_unread = ocf_rng_below(rng, 2) == 0;
  cfg->give_up_ns = (10 + ocf_rng_below(rng, 100)) * OCF_NS_PER_S;
}

/* 20 to 80 ms one way, and one segment in 20 comes late. */
static void lossy(struct ocf_sim_net_config *cfg, struct ocf_rng *rng)
{
  (void)rng;
  cfg->latency_min_ns = 20 * OCF_NS_PER_MS;
  cfg->latency_max_ns = 80 * OCF_NS_PER_MS;
  cfg->jitter_ns = 10 * OCF_NS_PER_MS;
  cfg->late_permille = 50;
}

static void slow_link(struct ocf_sim_net_config *cfg, struct ocf_rng *rng)
{
  (void)rng;
  cfg->bytes_per_s = 20 * 1000 * 1000;
}

const struct scenario scenarios[] = {
  { "pair", scenario_pair, NULL, "every kind of answer crosses two nodes", 3 },
  { "pair-rough", scenario_pair, rough, "the same on a rough network", 5 },
  { "echo", scenario_echo, NULL, "bodies come back as they went", 2 },
  { "echo-rough", scenario_echo, rough, "the same on a rough network", 5 },
  { "sse", scenario_sse, NULL, "events pass as they are made", 2 },
  { "leave", scenario_leave, slow_link, "a client that leaves ends the work", 5 },
  { "leave-upload", scenario_leave_upload, NULL,
    "so does one that leaves while it is not read from", 2 },
  { "upload", scenario_upload, NULL, "a service may take its time to read", 2 },
  { "upload-rough", scenario_upload, rough, "the same on a rough network", 2 },
  { "early", scenario_early, NULL, "answers before the request was read are whole", 1 },
  { "early-rough", scenario_early_rough, rough, "the same on a rough network", 1 },
  { "early-slow", scenario_early_slow, NULL, "the same with clients that read slowly", 2 },
  { "stale", scenario_stale, NULL, "a stale connection to a service is retried", 5 },
  { "service-dies", scenario_service_dies, NULL, "a broken answer looks broken", 3 },
  { "service-dies-rough", scenario_service_dies, rough, "the same on a rough network", 3 },
  { "service-killed", scenario_service_killed, slow_link, "a killed service is told", 3 },
  { "worker-dies", scenario_worker_dies, slow_link, "a lost worker is told, and found again", 3 },
  { "silent", scenario_silent, NULL, "silence is ended by the time-outs", 1 },
  { "slow-reader", scenario_slow_reader, NULL, "back-pressure reaches the service", 2 },
  { "stalled-reader", scenario_stalled_reader, NULL, "who never reads is given up", 2 },
  { "crowd", scenario_crowd, tune_small_buffers, "1,000 stalled readers cost bounded memory", 1 },
  { "simultaneous", scenario_simultaneous, NULL, "dials of both sides at once", 5 },
  { "partition", scenario_partition, NULL, "a partition is noticed and healed", 3 },
  { "hiccup", scenario_hiccup, NULL, "a short break is survived", 3 },
  { "drain", scenario_drain, NULL, "SIGTERM lets requests finish", 4 },
  { "drain-tail", scenario_drain_tail, tune_small_buffers, "SIGTERM loses no end of an answer", 4 },
  { "mesh", scenario_mesh, NULL, "100 nodes with faults", 1 },
  { "mesh-rough", scenario_mesh, rough, "the same on a rough network", 1 },
  { "mesh-wild", scenario_mesh_wild, wild, "the same with random resets", 1 },
  { "rush", scenario_rush, NULL, "150 nodes dial one at once", 1 },
  { "bootstrap", scenario_bootstrap, NULL, "lists of peers are asked for and followed", 3 },
  { "bootstrap-disk", scenario_bootstrap_disk, NULL, "the last good list outlives a restart", 3 },
  { "bootstrap-change", scenario_bootstrap_change, NULL, "sources may change while asked", 3 },
  { "bootstrap-oom", scenario_bootstrap_oom, NULL, "any allocation may fail meanwhile", 1 },
  { "hostile-p2p", scenario_hostile_p2p, NULL, "bad peers are let go in time", 2 },
  { "hostile-http", scenario_hostile_http, NULL, "bad clients are answered or let go", 2 },
  { "truncate", scenario_truncate, NULL, "a connection may break at any byte", 1 },
  { "oom", scenario_oom, NULL, "any allocation may fail", 4 },
  { "tight", scenario_tight, tune_small_buffers, "too little memory sheds load", 1 },
  { "reg-join", scenario_reg_join, NULL, "3 nodes tell one another what they offer", 2 },
  { "reg-join-10", scenario_reg_join_10, rough, "10 nodes do, on a rough network", 1 },
  { "reg-join-30", scenario_reg_join_30, NULL, "30 nodes do", 1 },
  { "reg-chain", scenario_reg_chain, lossy, "so do nodes in a row, on a slow and lossy network",
    1 },
  { "reg-leave", scenario_reg_leave, NULL, "who leaves is gone, who is killed is not alive", 2 },
  { "reg-restart", scenario_reg_restart, NULL, "a record wins again, with its store or without",
    2 },
  { "reg-partition", scenario_reg_partition, NULL, "both sides of a partition write, and heal", 2 },
  { "reg-newcomer", scenario_reg_newcomer, NULL, "a newcomer takes 1,000 blocks of history", 1 },
  { "reg-twins", scenario_reg_twins, NULL, "two nodes with one key do not write for ever", 1 },
  { "reg-route", scenario_reg_route, NULL, "requests find models while workers come and go", 2 },
  { "reg-route-rough", scenario_reg_route, lossy, "the same on a slow and lossy network", 1 },
  { "reg-restart-rough", scenario_reg_restart, rough, "restarts on a rough network", 1 },
  { "reg-oom", scenario_reg_oom, NULL, "any allocation of a member may fail", 2 },
  { "bad-signatures", scenario_bad_signatures, NULL,
    "forged messages are not looked at, and their sender goes", 1 },
  { "oversized-rpc", scenario_oversized_rpc, NULL,
    "RPCs and messages over the limits are not taken", 1 },
  { "oversized-block", scenario_oversized_block, NULL, "blocks over the limit are not kept", 1 },
  { "unfetchable-head", scenario_unfetchable_head, NULL, "heads that nobody has hold nobody up",
    1 },
  { "empty-head", scenario_empty_head, NULL, "heads that are no deltas do no harm", 1 },
  { "priority-max", scenario_priority_max, NULL,
    "after priority 2^64-1 an owner's word still stands", 1 },
  { "deep-chain", scenario_deep_chain, NULL, "a chain of 10,000 blocks is taken beside the work",
    1 },
  { "want-flood", scenario_want_flood, NULL, "200,000 wants cost bounded memory", 1 },
  { "heads-flood", scenario_heads_flood, NULL, "exchanges of heads are few at a time", 1 },
  { "graft-flood", scenario_graft_flood, NULL, "grafting without end is a fault", 1 },
  { "ihave-spam", scenario_ihave_spam, NULL, "promises that are not kept are counted", 1 },
  { "foreign-record", scenario_foreign_record, NULL,
    "a record for another's key leads nobody astray", 1 },
  { "ten-thousand-keys", scenario_ten_thousand_keys, NULL,
    "10,000 invented peers displace no real one", 1 },
  { "malformed-records", scenario_malformed_records, NULL,
    "records of wrong form are refused one by one", 1 },
  { "forged-left", scenario_forged_left, NULL, "who is there does not leave by another's word", 1 },
};
const size_t n_scenarios = OCF_ARRAY_LEN(scenarios);
