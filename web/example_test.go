package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/web"
)

// A program serves the dashboard below /resque/, for users with a password.
func ExampleNew() {
	redis, err := embedded.Start("") // in production, an address of your Redis
	if err != nil {
		fmt.Println(err)
		return
	}
	defer redis.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: redis.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	dashboard, err := web.New(client, web.Config{Auth: web.BasicAuth("ops", "secret")})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/resque/", http.StripPrefix("/resque", dashboard))

	for _, password := range []string{"wrong", "secret"} {
		request := httptest.NewRequest(http.MethodGet, "/resque/overview", nil)
		request.SetBasicAuth("ops", password)
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, request)
		fmt.Println(answer.Code)
	}
	// Output:
	// 401
	// 200
}
