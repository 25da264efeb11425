package main

import (
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

func main() {
	seconds, _ := time.ParseDuration(os.Args[1] + "s")
	made := session.Must(session.NewSession())
	client := sts.New(made, aws.NewConfig().WithEndpoint(os.Getenv("AWS_ENDPOINT_URL")))
	for end := time.Now().Add(seconds); time.Now().Before(end); time.Sleep(time.Second / 2) {
		who, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
		if err != nil {
			panic(err)
		}
		fmt.Println("go-1", *who.Arn)
	}
}
