package web_test

import (
	"crypto/sha1" //nolint:gosec // the plugin's digest
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// fill adds the data of a shop of medium size, for screenshots, the accessibility
// check and the tests that visit every page.
func (s *site) fill() {
	s.t.Helper()
	s.fillQueues()
	s.fillWorkers()
	s.fillFailures()
	s.fillDelayed()
	s.fillSchedules()
	s.fillBatches()
	s.fillStatuses()
	s.fillLimits()
	s.fillLocks()
	s.do("SET", "resque:stat:processed", 1_283_402)
	s.do("SET", "resque:stat:failed", 2_917)
	s.do("SET", "resque:pause:queue:reports", 1)
	s.do("HSET", "resque:workers:heartbeat", "worker-4.example.com:8123:exports", ago(40*time.Hour))
}

// fillBatches adds a batch in each state; nightlyBatch runs.
func (s *site) fillBatches() {
	s.t.Helper()
	at := func(ago time.Duration) string { return strconv.FormatInt(time.Now().Add(-ago).UnixMilli(), 10) }
	callbacks := []any{"callbacks", `["reports","reports"]`, "complete", `{"class":"MonthlyReport","args":["2026-01"]}`, "success", `{"class":"Publish","args":["2026-01"]}`}
	for id, fields := range map[string][]any{
		nightlyBatch:              {"description", "Nightly export", "created", at(10 * time.Minute), "sealed", at(9 * time.Minute), "total", 1200, "pending", 342, "failed", 7, "abandoned", 2},
		"019be0c1a2b-growing":     {"description", "Import of acme", "created", at(2 * time.Minute), "total", 40, "pending", 12, "failed", 0},
		"019bd0c1a2b-donedonedon": {"created", at(26 * time.Hour), "sealed", at(26 * time.Hour), "completed", at(25 * time.Hour), "succeeded", at(25 * time.Hour), "total", 1180, "pending", 0, "failed", 0},
		"019bc0c1a2b-failedfaile": {"description", "Invoices", "created", at(50 * time.Hour), "sealed", at(50 * time.Hour), "completed", at(49 * time.Hour), "total", 90, "pending", 0, "failed", 3},
		"019bb0c1a2b-cancelledca": {"description", "Thumbnails", "created", at(70 * time.Hour), "sealed", at(69 * time.Hour), "cancelled", at(69 * time.Hour), "total", 5000, "pending", 0, "failed", 0, "skipped", 4100, "completed", at(68 * time.Hour)},
		"019ba0c1a2b-faultfaultf": {"description", "Reindex", "created", at(time.Hour), "sealed", at(time.Hour), "total", 2, "pending", 0, "failed", 0, "fault", "a key of the batch or of a queue of its callbacks has another type"},
	} {
		s.do(append(append([]any{"HSET", "resque:goresque:batch:" + id, "next", 5000, "keep", 1000}, callbacks...), fields...)...)
		s.do("ZADD", "resque:goresque:batches", "+inf", id)
	}
}

const nightlyBatch = "019bf0c1a2b-nightlynigh"

func (s *site) fillQueues() {
	s.t.Helper()
	rails := `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"InvoiceMailJob",` +
		`"job_id":"6f3a1c9e-7f0d-4f0e-9a36-2e8b4f8f6f01","provider_job_id":null,"queue_name":"mailers","priority":null,` +
		`"arguments":[{"_aj_globalid":"gid://shop/Invoice/90210"},"de"],"executions":0,"locale":"en","enqueued_at":%q}]}`
	jobs := map[string]func(i int) string{
		"exports": func(i int) string { return fmt.Sprintf(`{"class":"Exporter","args":[%d,"csv"]}`, 4200+i) },
		"mailers": func(i int) string { return fmt.Sprintf(rails, ago(time.Duration(190-i)*time.Second)) },
		"images": func(i int) string {
			return fmt.Sprintf(`{"class":"Thumbnail","args":[{"id":%d,"sizes":[64,256,1024]}]}`, i)
		},
		"billing":      func(i int) string { return fmt.Sprintf(`{"class":"ChargeCard","args":[%d,"EUR"]}`, i) },
		"reports":      func(i int) string { return fmt.Sprintf(`{"class":"MonthlyReport","args":["2026-%02d"]}`, i%12+1) },
		"search_index": func(i int) string { return fmt.Sprintf(`{"class":"Reindex","args":["Product",%d]}`, i) },
		"archive":      func(i int) string { return fmt.Sprintf(`{"class":"Archive","args":[%d]}`, i) },
		"low":          func(int) string { return "" },
	}
	sizes := map[string]int{"exports": 342, "mailers": 58, "images": 1204, "billing": 3, "reports": 31, "search_index": 5120, "archive": 17}
	for queue, job := range jobs {
		s.do("SADD", "resque:queues", queue)
		push := []any{"RPUSH", "resque:queue:" + queue}
		for i := range sizes[queue] {
			push = append(push, job(i))
		}
		if len(push) > 2 {
			s.do(push...)
		}
	}
}

func (s *site) fillWorkers() {
	s.t.Helper()
	for i := range 4 {
		id := fmt.Sprintf("web-1.example.com:%d:exports,mailers", 4212+i)
		job := ""
		if i < 2 {
			job = working("exports", "Exporter", fmt.Sprintf(`[%d,"csv"]`, 4100+i), time.Duration(40+170*i)*time.Second)
		}
		s.worker(id, ago(time.Duration(7*i+3)*time.Second), job)
		s.do("SET", "resque:stat:processed:"+id, 51_200+311*i)
		s.do("SET", "resque:stat:failed:"+id, 12*i)
	}
	for i := range 6 {
		id := fmt.Sprintf("worker-2.example.com~go:917-%d:images,search_index,low", i)
		job := ""
		if i%2 == 0 {
			job = working("images", "Thumbnail", fmt.Sprintf(`[{"id":%d,"sizes":[64,256,1024]}]`, 88+i), time.Duration(2+i)*time.Second)
		}
		s.worker(id, ago(time.Duration(5*i)*time.Second), job)
		s.do("SET", "resque:stat:processed:"+id, 181_070+97*i)
	}
	s.worker("worker-3.example.com:31007:billing,reports", ago(16*time.Minute), working("billing", "ChargeCard", `[90177,"EUR"]`, 17*time.Minute))
	s.worker("worker-3.example.com:31008:billing,reports", ago(21*time.Second), "")
	s.worker("old-1.example.com:222:low", "", "")
}

func (s *site) fillFailures() {
	s.t.Helper()
	kinds := []struct{ class, args, exception, message, queue string }{
		{"Exporter", `[%d,"csv"]`, "Errno::ENOSPC", "No space left on device @ io_write - /var/tmp/export-%d.csv", "exports"},
		{"ChargeCard", `[%d,"EUR"]`, "Stripe::APIConnectionError", "Unexpected error communicating when trying to connect to Stripe (execution expired)", "billing"},
		{"Thumbnail", `[{"id":%d,"sizes":[64,256,1024]}]`, "*image.FormatError", "decoding upload %d: image: unknown format", "images"},
		{"InvoiceMail", `[%d]`, "Net::SMTPServerBusy", "450 4.2.2 mailbox full", "mailers"},
		{"Reindex", `["Product",%d]`, "Resque::DirtyExit", "Child process received unhandled signal pid 4711 SIGKILL (signal 9)", "search_index"},
	}
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Now()
	for i := range 314 {
		k := kinds[random.IntN(len(kinds))]
		before := time.Duration(313 - i) // more of the last hours than of three weeks ago
		at := now.Add(-before*7*time.Minute - before*before*14*time.Second - 40*time.Second)
		more := ""
		if random.IntN(6) == 0 {
			more = fmt.Sprintf(`,"retried_at":%q`, at.Add(3*time.Minute).UTC().Format("2006/01/02 15:04:05 MST"))
		}
		message := k.message
		if k.class == "Exporter" || k.class == "Thumbnail" {
			message = fmt.Sprintf(message, 1000+i)
		}
		s.fail(record(k.class, fmt.Sprintf(k.args, 1000+i), k.exception, message, k.queue, at, more))
		if i == 311 {
			s.fail(`{"failed_at":"2026/01/02 03:04:05 UTC","payload":{"class":"Exporter"`)
		}
	}
}

// fillDelayed adds delayed jobs: reminders over the next days, retries, a second with
// many jobs, one in Rails' form, and two damaged ones.
func (s *site) fillDelayed() {
	s.t.Helper()
	now := time.Now().Unix()
	rails := `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"CartReminderJob",` +
		`"job_id":"0d6a7d0e-8f04-4f55-9d1a-6a3c1fd2b7aa","queue_name":"mailers","arguments":[{"_aj_globalid":"gid://shop/Cart/771%d"}],` +
		`"executions":0,"locale":"en","enqueued_at":%q}],"queue":"mailers"}`
	for i := range 40 {
		s.delay(now+int64(48+i*i*310), item("Reminder", fmt.Sprintf("[%d]", 4200+i), "mailers"))
	}
	for i := range 6 {
		s.delay(now+int64(95+i*1741), fmt.Sprintf(rails, i, ago(time.Hour)))
		s.delay(now+int64(31+i*600), item("ChargeCard", fmt.Sprintf(`[%d,"EUR"]`, 90200+i), "billing"))
		s.retried("ChargeCard", fmt.Sprintf("%d-EUR", 90200+i), i%4, map[bool]string{true: "the bank answered 503"}[i%2 == 0])
	}
	s.delay(now+900, strings.Replace(fmt.Sprintf(rails, 99, ago(time.Hour)), `"executions":0`, `"executions":2`, 1))
	s.delay(now+7210, "not JSON", `{"class":"NoQueue","args":[]}`)
	for i := range 30 { // the first second of 2100
		s.delay(4102444800, item("CloseAccount", fmt.Sprintf(`[{"id":%d,"reason":"inactive"}]`, i), "low"))
	}
}

// retried counts failed attempts of a delayed job as resque-retry does. joined are its
// arguments. If text is not empty, it is the error of the last attempt.
func (s *site) retried(class, joined string, number int, text string) {
	s.t.Helper()
	sum := sha1.Sum([]byte(joined)) //nolint:gosec // the plugin's digest
	key := "resque-retry:" + class + ":" + hex.EncodeToString(sum[:])
	s.do("SET", "resque:"+key, number)
	if text != "" {
		s.do("SET", "resque:failure-"+key, fmt.Sprintf(`{"failed_at":%q,"payload":{"class":%q,"args":[]},"exception":"Net::ReadTimeout","error":%q,`+
			`"backtrace":["app/jobs/charge_card.rb:12:in 'perform'","lib/bank.rb:7"],"worker":"web-1:1:billing","queue":"billing"}`,
			time.Now().Add(-time.Minute).UTC().Format("2006/01/02 15:04:05 UTC"), class, text))
	}
}

// fillSchedules adds recurring jobs and the state of a Go scheduler: some of its
// program, some persistent, one that is switched off, one with parameters, one that
// cannot run and one that was not loaded.
func (s *site) fillSchedules() {
	s.t.Helper()
	now := time.Now().Unix()
	shown := `{"static":%t,"zone":"UTC","config":%s}`
	for name, config := range map[string]string{
		"invoices":     `{"class":"MonthlyReport","cron":"0 6 1 * * Europe/Stockholm","queue":"reports","args":["invoices"],"description":"Invoices of the last month, to the accountants"}`,
		"reindex":      `{"class":"Reindex","every":["1h",{"first_in":"5m"}],"queue":"search_index","args":["Product",0]}`,
		"sync-acme":    `{"class":"Sync","cron":"*/15 * * * *","queue":"low","args":["acme"]}`,
		"sync-initech": `{"class":"Sync","cron":"*/15 * * * *","queue":"low","args":["initech"]}`,
		"export-all":   `{"class":"Exporter","cron":"30 2 * * *","queue":"exports","args":{"format":"csv"},"parameters":{"format":{"description":"csv or xlsx","default":"csv"},"since":{"description":"first day"}}}`,
		"cleanup":      `{"class":"Archive","cron":"61 * * * *","queue":"archive"}`,
		"staging-data": `{"class":"Anonymize","cron":"0 4 * * sun","queue":"low","rails_env":"staging"}`,
	} {
		static := name == "invoices" || name == "reindex"
		if !static {
			s.do("HSET", "resque:persistent_schedules", name, config)
		}
		if name != "staging-data" {
			s.do("HSET", "resque:goresque:schedule", name, fmt.Sprintf(shown, static, config))
			s.do("HSET", "resque:goresque:schedule:slots", name, now-400)
		}
		if name != "cleanup" && name != "invoices" && name != "staging-data" {
			s.do("HSET", "resque:delayed:last_enqueued_at", name, time.Now().Add(-400*time.Second).Format("2006-01-02 15:04:05 -0700"))
		}
	}
	s.do("SADD", "resque:goresque:schedule:off", "sync-initech")
	const master = "worker-2.example.com~go:917:5T4KQ2"
	s.do("SET", "resque:resque:resque_scheduler_master_lock", master)
	s.do("HSET", "resque:goresque:scheduler", "master", master, "since", now-7200, "moved", 81204, "lateness", "0.012")
}

// removed adds removed entries.
func (s *site) removed() {
	s.t.Helper()
	s.post("/failed/remove/"+s.ids()[3], "")
	s.post("/failed/clear", "sure=1&class=Reindex")
	s.post("/queues/archive/clear", "sure=1")
}
