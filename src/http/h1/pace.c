/* Minimum transfer rate. */
#include "http/h1/pace.h"

#include "base/time/time.h"

void ocf_h1_pace_start(struct ocf_h1_pace *p, uint64_t now_ns, uint64_t bytes_per_s,
                       uint64_t grace_ns)
{
  const bool on = bytes_per_s > 0;

  *p = (struct ocf_h1_pace){ .deadline_ns = on ? ocf_time_add(now_ns, grace_ns) : OCF_TIME_NEVER,
                             .grace_ns = grace_ns,
                             .ns_per_byte =
                                 on ? OCF_MAX(OCF_NS_PER_S / bytes_per_s, UINT64_C(1)) : 0 };
}

void ocf_h1_pace_add(struct ocf_h1_pace *p, uint64_t now_ns, uint64_t n)
{
  if (p->ns_per_byte == 0 || p->deadline_ns == OCF_TIME_NEVER)
    return;
  const uint64_t most = ocf_time_add(now_ns, p->grace_ns);
  const uint64_t bought = n > p->grace_ns / p->ns_per_byte ? p->grace_ns : n * p->ns_per_byte;
  p->deadline_ns = ocf_time_min(ocf_time_add(p->deadline_ns, bought), most);
}

void ocf_h1_pace_pause(struct ocf_h1_pace *p, uint64_t now_ns)
{
  if (p->ns_per_byte == 0 || p->deadline_ns == OCF_TIME_NEVER)
    return;
  p->saved_ns = p->deadline_ns > now_ns ? p->deadline_ns - now_ns : 0;
  p->deadline_ns = OCF_TIME_NEVER;
}

void ocf_h1_pace_resume(struct ocf_h1_pace *p, uint64_t now_ns)
{
  if (p->ns_per_byte == 0 || p->deadline_ns != OCF_TIME_NEVER)
    return;
  p->deadline_ns = ocf_time_add(now_ns, p->saved_ns);
}
