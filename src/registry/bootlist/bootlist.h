/* Bootstrap lists: what a `bootstrap.*` option, a fetched document or a DNS record names as peers
 * to connect to first.
 *
 * One call reads any of the forms: a multiaddr; several, separated by comma, semicolon, space, tab
 * or line end; a JSON array of them; the object {"bootstraps":[...]} that peers serve. A list keeps
 * what is good of everything that is added to it, each address once, and an error text for
 * each entry that is not: one bad entry never spoils the rest. Belongs to one loop; does no I/O:
 * ocf_bootlist_classify() tells what the owner must fetch or resolve first. */
#ifndef OCF_REGISTRY_BOOTLIST_BOOTLIST_H
#define OCF_REGISTRY_BOOTLIST_BOOTLIST_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "base/mem/alloc.h"
#include "multi/maddr/maddr.h"
#include "multi/peerid/peerid.h"

enum {
  OCF_BOOTLIST_MAX = 256,         /* entries */
  OCF_BOOTLIST_ERRORS_MAX = 16,   /* error texts kept; all are counted */
  OCF_BOOTLIST_TEXT_MAX = 262144, /* bytes of one text that are looked at */
};

enum ocf_bootlist_source {
  OCF_BOOTLIST_EMPTY,   /* nothing but blanks */
  OCF_BOOTLIST_URL,     /* http:// or https://: fetch it, give the body to ocf_bootlist_add() */
  OCF_BOOTLIST_DNSADDR, /* dnsaddr://host: ask TXT of _dnsaddr.<host>, see ocf_bootlist_add_txt() */
  OCF_BOOTLIST_LITERAL, /* give it to ocf_bootlist_add() as it is */
};

/* What `source` is; schemes match without regard to case. `*what` is a view into it: the whole URL,
 * the host alone (which may be "" or nonsense: the resolver says), or the literal, each without
 * blanks around it. */
enum ocf_bootlist_source ocf_bootlist_classify(struct ocf_bytes source, struct ocf_bytes *what);

/* `source` as a log may show it: of a URL without the user and the password before its host, which
 * read "***". NUL-ended and cut at `cap` > 0; returns `buf`. */
const char *ocf_bootlist_shown(struct ocf_bytes source, char *buf, size_t cap);
enum { OCF_BOOTLIST_SHOWN_SIZE = 512 };

struct ocf_bootlist_entry {
  struct ocf_peerid peer; /* never none */
  struct ocf_maddr addr;  /* as given, with its /p2p/<id> at the end */
};

struct ocf_bootlist_error {
  int code; /* OCF_EINVAL malformed, OCF_EUNSUPP unknown protocol, OCF_ENOENT no /p2p/<id> at the
               end, OCF_ELIMIT too long or too many */
  char text[200]; /* for the log, with the entry (escaped and cut) and what is wrong with it */
};

struct ocf_bootlist {
  struct ocf_alloc *a;
  struct ocf_bootlist_entry *v; /* in the order of adding; moves when something is added */
  size_t n, cap;
  struct ocf_bootlist_error errors[OCF_BOOTLIST_ERRORS_MAX]; /* the first ones */
  size_t n_errors;                                           /* all that happened */
};

/* Takes no memory yet; `a` is borrowed until fini. */
void ocf_bootlist_init(struct ocf_bootlist *b, struct ocf_alloc *a);
void ocf_bootlist_fini(struct ocf_bootlist *b);
/* Forgets entries and errors, keeping the memory. */
void ocf_bootlist_clear(struct ocf_bootlist *b);

/* Reads `text`, in any of the forms above, adding what is new. 0, also when some or all of it was
 * bad: see `errors`; OCF_ENOMEM, and then what was read before stays. JSON that breaks off or is no
 * JSON any more counts as one error; the entries before that place stay. */
OCF_NODISCARD int ocf_bootlist_add(struct ocf_bootlist *b, struct ocf_bytes text);
/* Reads one TXT record: "dnsaddr=<multiaddr>". Records of another form are none of ours, and no
 * error. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_bootlist_add_txt(struct ocf_bootlist *b, struct ocf_bytes txt);
/* Adds one address, as read from elsewhere: the list that a node keeps on disk, say. 0 also when it
 * is refused, with an error noted; OCF_ENOMEM. */
OCF_NODISCARD int ocf_bootlist_add_addr(struct ocf_bootlist *b, const struct ocf_maddr *addr);

/* How many error texts there are to read: errors[0 .. n). */
static inline size_t ocf_bootlist_errors(const struct ocf_bootlist *b)
{
  return OCF_MIN(b->n_errors, (size_t)OCF_BOOTLIST_ERRORS_MAX);
}

/* Appends {"bootstraps":["/ip4/...",...]} with `n` addresses, as peers serve it. 0, OCF_ELIMIT,
 * OCF_ENOMEM; the buffer is cut back on failure. */
OCF_NODISCARD int ocf_bootlist_write(const struct ocf_maddr *addrs, size_t n, struct ocf_buf *out);
/* The same of the list's own entries: what is kept on disk. */
OCF_NODISCARD int ocf_bootlist_write_list(const struct ocf_bootlist *b, struct ocf_buf *out);

#endif
