/* The scenarios by file; each is described where it is written. */
#ifndef OCF_TESTS_SCENARIOS_BASIC_H
#define OCF_TESTS_SCENARIOS_BASIC_H

#include "stage.h"

/* basic.c */
void scenario_pair(struct stage *st);
void scenario_echo(struct stage *st);
void scenario_sse(struct stage *st);
void scenario_leave(struct stage *st);
void scenario_leave_upload(struct stage *st);
void scenario_upload(struct stage *st);
void scenario_early(struct stage *st);
void scenario_early_rough(struct stage *st);
void scenario_early_slow(struct stage *st);
void scenario_stale(struct stage *st);

/* fail.c */
void scenario_service_dies(struct stage *st);
void scenario_worker_dies(struct stage *st);
void scenario_service_killed(struct stage *st);
void scenario_silent(struct stage *st);

/* flow.c */
void tune_small_buffers(struct ocf_sim_net_config *cfg, struct ocf_rng *rng);
void scenario_slow_reader(struct stage *st);
void scenario_stalled_reader(struct stage *st);
void scenario_crowd(struct stage *st);

/* mesh.c */
void scenario_simultaneous(struct stage *st);
void scenario_partition(struct stage *st);
void scenario_hiccup(struct stage *st);
void scenario_drain(struct stage *st);
void scenario_drain_tail(struct stage *st);
void scenario_mesh(struct stage *st);
void scenario_mesh_wild(struct stage *st);
void scenario_rush(struct stage *st);

/* boot.c */
void scenario_bootstrap(struct stage *st);
void scenario_bootstrap_disk(struct stage *st);
void scenario_bootstrap_change(struct stage *st);
void scenario_bootstrap_oom(struct stage *st);

/* hostile.c */
void scenario_hostile_p2p(struct stage *st);
void scenario_hostile_http(struct stage *st);
void scenario_truncate(struct stage *st);

/* oom.c */
void scenario_oom(struct stage *st);
void scenario_tight(struct stage *st);

/* registry.c */
void scenario_reg_join(struct stage *st);
void scenario_reg_join_10(struct stage *st);
void scenario_reg_join_30(struct stage *st);
void scenario_reg_chain(struct stage *st);
void scenario_reg_leave(struct stage *st);
void scenario_reg_restart(struct stage *st);
void scenario_reg_partition(struct stage *st);
void scenario_reg_newcomer(struct stage *st);
void scenario_reg_twins(struct stage *st);
void scenario_reg_route(struct stage *st);
void scenario_reg_oom(struct stage *st);

/* registry_hostile.c */
void scenario_bad_signatures(struct stage *st);
void scenario_oversized_rpc(struct stage *st);
void scenario_oversized_block(struct stage *st);
void scenario_unfetchable_head(struct stage *st);
void scenario_empty_head(struct stage *st);
void scenario_priority_max(struct stage *st);
void scenario_deep_chain(struct stage *st);
void scenario_want_flood(struct stage *st);
void scenario_heads_flood(struct stage *st);
void scenario_graft_flood(struct stage *st);
void scenario_ihave_spam(struct stage *st);
void scenario_foreign_record(struct stage *st);
void scenario_ten_thousand_keys(struct stage *st);
void scenario_malformed_records(struct stage *st);
void scenario_forged_left(struct stage *st);

#endif
