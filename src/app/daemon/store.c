/* The registry's store on disk: opened at the start, brought to the disk every few seconds by a
 * job, closed at the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/daemon/daemon_int.h"

#define SYNC_EVERY_NS (5 * OCF_NS_PER_S)

int ocf_daemon_make_dirs(const char *path)
{
  char part[OCF_LMDB_PATH_MAX];
  size_t n = strlen(path);
  if (n >= sizeof(part))
    return -1;
  for (size_t i = 1; i <= n; i++) {
    if (path[i] != '/' && path[i] != '\0')
      continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (mkdir(part, 0700) != 0 && errno != EEXIST)
      return -1;
  }
  return 0;
}

static void log_report(struct ocf_plane *p, const struct ocf_lmdb_report *r, const char *path)
{
  if (r->note.code != 0)
    OCF_LOGF(&p->log, "store", OCF_LOG_WARN, r->note.msg, OCF_LOG_STR("path", path),
             OCF_LOG_STR("cure", r->note.cure));
  OCF_LOGF(&p->log, "store", OCF_LOG_INFO, r->created ? "store made" : "store opened",
           OCF_LOG_STR("path", path), OCF_LOG_U64("rows", r->rows),
           OCF_LOG_U64("bytes", r->file_bytes), OCF_LOG_MS("check_ms", r->check_ns));
}

/* Each identity has a store of its own, so that nodes of one user do not meet in one folder. */
static bool store_path(const struct ocf_daemon *d, char dst[OCF_LMDB_PATH_MAX])
{
  struct ocf_peerid id;
  char text[OCF_PEERID_TEXT_SIZE];
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(d->key)), &id);
  int n = snprintf(dst, OCF_LMDB_PATH_MAX, "%s/registry.%s", d->conf->datadir,
                   ocf_peerid_text(&id, text));
  return n > 0 && n < OCF_LMDB_PATH_MAX;
}

int ocf_daemon_store_open(struct ocf_plane *p, struct ocf_err *err)
{
  const struct ocf_conf *c = p->d->conf;
  char path[OCF_LMDB_PATH_MAX];
  struct ocf_lmdb_report rep;
  if (c->registry_memory)
    return 0;
  if (!store_path(p->d, path) || ocf_daemon_make_dirs(c->datadir) != 0)
    return ocf_err_set(err, OCF_EPERM,
                       "give another folder as datadir, or set registry.memory for a registry in "
                       "memory",
                       "the data folder %s cannot be made", c->datadir);
  if (c->cleanslate && ocf_lmdb_remove(path, err) != 0)
    return err->code;
  struct ocf_lmdb_config cfg = { .path = path, .max_bytes = c->registry_store_bytes };
  int r = ocf_lmdb_open(&cfg, &p->alloc, &p->store, &rep, err);
  if (r == 0)
    log_report(p, &rep, path);
  return r;
}

struct sync {
  struct ocf_plane *plane; /* NULL once it has closed the store */
  struct ocf_lmdb_sync *job;
};

static void run(void *arg)
{
  struct sync *s = arg;
  ocf_lmdb_sync_run(s->job);
}

static void done(void *arg, uint64_t now_ns)
{
  struct sync *s = arg;
  struct ocf_err e;
  int r = ocf_lmdb_sync_end(s->job, &e);
  (void)now_ns;
  if (r != 0 && r != OCF_ECANCELED && s->plane->store != NULL)
    OCF_LOGF(&s->plane->log, "store", OCF_LOG_WARN, e.msg, OCF_LOG_STR("cure", e.cure));
  free(s);
}

void ocf_daemon_store_turn(struct ocf_plane *p, uint64_t now_ns)
{
  if (p->store == NULL || now_ns < p->sync_ns)
    return;
  p->sync_ns = ocf_time_add(now_ns, SYNC_EVERY_NS);
  struct sync *s = malloc(sizeof(*s));
  struct ocf_lmdb_sync *job = s != NULL ? ocf_lmdb_sync_begin(p->store) : NULL;
  if (job == NULL) {
    free(s);
    return;
  }
  *s = (struct sync){ p, job };
  struct ocf_env *env = ocf_uv_env(p->uv);
  if (env->ops->job(env, run, done, s) != 0) {
    ocf_lmdb_sync_run(job);
    done(s, now_ns);
  }
}

uint64_t ocf_daemon_store_deadline(const struct ocf_plane *p)
{
  bool due = p->store != NULL && ocf_lmdb_unsynced(p->store) > 0;
  return due ? p->sync_ns : OCF_TIME_NEVER;
}

void ocf_daemon_store_close(struct ocf_plane *p)
{
  struct ocf_err e;
  if (p->store != NULL && ocf_lmdb_close(p->store, &e) != 0)
    OCF_LOGF(&p->log, "store", OCF_LOG_WARN, e.msg, OCF_LOG_STR("cure", e.cure));
  p->store = NULL;
}
