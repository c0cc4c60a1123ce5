/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pageless

#if !defined(_TRACE_PAGELESS_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_PAGELESS_H

#include <linux/pageless.h>
#include <linux/tracepoint.h>

TRACE_EVENT(pageless_register,
	TP_PROTO(const struct pageless_range *range, int err),
	TP_ARGS(range, err),
	TP_STRUCT__entry(
		__string(name, range->name)
		__field(u64, start)
		__field(u64, size)
		__field(int, err)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->start = range->start;
		__entry->size = range->size;
		__entry->err = err;
	),
	TP_printk("%s start=%#llx size=%#llx err=%d", __get_str(name),
		  __entry->start, __entry->size, __entry->err)
);

TRACE_EVENT(pageless_unregister,
	TP_PROTO(const struct pageless_range *range),
	TP_ARGS(range),
	TP_STRUCT__entry(
		__string(name, range->name)
		__field(u64, start)
		__field(u64, size)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->start = range->start;
		__entry->size = range->size;
	),
	TP_printk("%s start=%#llx size=%#llx", __get_str(name),
		  __entry->start, __entry->size)
);

TRACE_EVENT(pageless_memory_failure,
	TP_PROTO(const struct pageless_range *range, unsigned long pfn, int err),
	TP_ARGS(range, pfn, err),
	TP_STRUCT__entry(
		__string(name, range->name)
		__field(unsigned long, pfn)
		__field(int, err)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->pfn = pfn;
		__entry->err = err;
	),
	TP_printk("%s pfn=%#lx err=%d", __get_str(name), __entry->pfn,
		  __entry->err)
);

#endif /* _TRACE_PAGELESS_H */

#include <trace/define_trace.h>
