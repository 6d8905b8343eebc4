/* What the files of app/daemon share. daemon.c starts and stops planes, reload.c applies a changed
 * configuration to running ones, gather.c adds up what they count, store.c keeps the registry's
 * store.
 *
 * Threading: a plane belongs to its loop. Planes talk only by ocf_uv_post(). The configuration and
 * the addresses made from it are changed by the first loop, under `lock`, and read by the others
 * under it. */
#ifndef OCF_APP_DAEMON_DAEMON_INT_H
#define OCF_APP_DAEMON_DAEMON_INT_H

#include <pthread.h>

#include "app/daemon/daemon.h"
#include "app/daemon/logsink.h"
#include "app/daemon/setup.h"
#include "base/log/log.h"
#include "base/rng/rng.h"
#include "io/uv/uv.h"
#include "node/core/node.h"
#include "store/lmdb/lmdb.h"

struct ocf_daemon;

/* bootfile.c: where the last good bootstrap list is kept. */
struct ocf_bootfile {
  struct ocf_node_boot_store store;
  char path[OCF_LMDB_PATH_MAX];
};
/* NULL: there can be no such file. `f` stays until the driver has ended. */
struct ocf_node_boot_store *ocf_bootfile_init(struct ocf_bootfile *f, const char *folder,
                                              const struct ocf_peerid *id);

/* One loop with its node; shares nothing with the others but what it reads. */
struct ocf_plane {
  struct ocf_daemon *d;
  size_t index;
  struct ocf_uv *uv;
  struct ocf_alloc alloc;
  struct ocf_rng rng;
  struct ocf_log log;
  struct ocf_logsink sink;
  struct ocf_metrics *metrics;
  struct ocf_node *node; /* NULL once it has been freed: posts that come later find nothing to do */
  struct ocf_lmdb *store; /* the first plane's, unless the registry is in memory or off */
  struct ocf_bootfile bootfile;
  struct ocf_node_boot_store *boot_store; /* the first plane's; NULL: no list is kept */
  uint64_t sync_ns;                       /* when it goes to the disk next */
  struct ocf_uv_listener *http, *p2p[OCF_SETUP_ADDRS_MAX];
  size_t n_p2p;
  pthread_t thread;
  bool running;      /* on a thread of its own */
  bool draining;     /* written and read by its own loop only */
  uint64_t due_ns;   /* when the loop was to wake at the latest */
  size_t most_bytes; /* live at one time since the last malloc_trim() */
  uint64_t trim_ns;  /* when that is due; NEVER: it is not */
};

struct ocf_daemon {
  struct ocf_conf *conf;        /* guarded by lock while planes run */
  struct ocf_setup_addrs addrs; /* the same */
  pthread_mutex_t lock;
  const struct ocf_key *key;
  const struct ocf_daemon_info *info;
  struct ocf_node_config node_cfg; /* of the start; constant afterwards */
  struct ocf_plane *planes;
  size_t n_planes;
  unsigned n_signals;
};

/* Tells the plane's swarm our addresses. The caller holds the lock, or no other plane runs. */
int ocf_daemon_tell_addrs(struct ocf_plane *p);

/* Makes the plane's peers those of the configuration. The same holds for the lock. */
void ocf_daemon_bootstrap(struct ocf_plane *p);

/* store.c */
/* Makes every folder of `path` that is missing; 0 or -1. */
int ocf_daemon_make_dirs(const char *path);
OCF_NODISCARD int ocf_daemon_store_open(struct ocf_plane *p, struct ocf_err *err);
void ocf_daemon_store_turn(struct ocf_plane *p, uint64_t now_ns);
uint64_t ocf_daemon_store_deadline(const struct ocf_plane *p);
void ocf_daemon_store_close(struct ocf_plane *p);

/* gather.c */
/* ocf_node_config.gather; `user` is the asking plane. */
size_t ocf_daemon_gather(void *user, uint64_t ticket);

/* reload.c */
/* Loads the configuration again and applies what may change in a running node. What is wrong in it
 * is logged, and nothing changes then. On the first loop. */
void ocf_daemon_reload(struct ocf_daemon *d);

#endif
